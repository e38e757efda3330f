/** Overload protection on real lossy TCP: what is suppressed is counted to the unit, and summaries keep every retransmit. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { RetransmitSummaryEvent, TcpEvent } from '../../src/event/tcp-event.ts';
import { imbalances } from '../../src/ledger/ledger.ts';
import { startAgent, whyNoAgent } from '../support/agent.ts';
import { noNetworkReason, readLinkCounters, waitUntilQuiet, withLossyLink } from '../support/network.ts';
import { countersSince } from '../support/nstat.ts';
import { createEventValidator } from '../support/schema.ts';
import { runConnections } from '../support/traffic/traffic.ts';
import { until } from '../support/wait.ts';

const missing = whyNoAgent() ?? noNetworkReason;
if (missing) console.warn(`skipped: limits: ${missing}`);

const CONNECTIONS = 400;
const LIMITS = { tcp_state: 100, tcp_retransmit: 5 } as const;
const BURST_SECONDS = 2;
/** The wall clock is followed by less than this between two events. */
const CLOCK_SLACK_S = 0.01;

type Kind = keyof typeof LIMITS;

/** Seconds of the times of a kind, none before the one before it: what was held comes later than its time says. */
function timesOf(events: readonly TcpEvent[], kind: Kind): number[] {
  let latest = 0;
  return events
    .filter(({ event }) => event === kind)
    .map(({ timestamp }) => {
      const seconds = Date.parse(`${timestamp.slice(0, 19)}Z`) / 1000 + Number(timestamp.slice(19, -1));
      latest = Math.max(latest, seconds);
      return latest;
    });
}

/** The most events that any window holds beyond its rate; more than the burst is too many. */
function largestBurst(times: readonly number[], perSecond: number): number {
  let most = 0;
  let lowest = Number.POSITIVE_INFINITY;
  for (const [index, time] of times.entries()) {
    lowest = Math.min(lowest, index - perSecond * time);
    most = Math.max(most, index + 1 - perSecond * time - lowest);
  }
  return most;
}

describe.skipIf(missing)('limits', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-limits-'));
  afterAll(() => rmSync(directory, { recursive: true }));

  it('hold for real events, whose retransmits are all in the summaries', async () => {
    const path = join(directory, 'events.ndjson');
    const config = {
      source: { buffer_kb: 16_384 },
      sink: { file: { enabled: true, path } },
      summary: { interval_s: 1 },
    };
    const limits = { events_per_second: LIMITS, burst_s: BURST_SECONDS };
    const agent = await startAgent({ config: { ...config, limits } });
    const read = () =>
      readFileSync(path, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as TcpEvent);
    try {
      await withLossyLink({ lossPercent: 3 }, async (link) => {
        const before = await readLinkCounters(link);
        await runConnections(link, { family: 'ipv4', connections: CONNECTIONS });
        await waitUntilQuiet(link);
        const counted = countersSince(before, await readLinkCounters(link));

        // Without limits again, everything comes: as soon as it is reloaded, and from the same agent. What that has not
        // read yet of the time before is no longer limited.
        const emittedLimited = (await agent.status()).ledger.emitted;
        agent.configure(config);
        process.kill(agent.pid, 'SIGHUP');
        await until(() => agent.log().includes('the configuration was reloaded'), 'the reload');
        const suppressedAtReload = (await agent.status()).ledger.suppressed;
        await runConnections(link, { family: 'ipv6', connections: 50 });
        await waitUntilQuiet(link);
        expect(await agent.stop()).toBe(0);

        const ledger = agent.finalLedger();
        expect(imbalances(ledger)).toEqual([]);
        expect(ledger).toMatchObject({ malformed: 0, held: 0, lost: { kernel_overrun: 0 } });
        expect(Object.keys(ledger.suppressed).sort()).toEqual(['tcp_retransmit', 'tcp_state']);
        expect(ledger.suppressed).toEqual(suppressedAtReload);

        const events = read();
        const validate = createEventValidator();
        expect(events.flatMap(validate)).toEqual([]);
        expect(new Set(events.map(({ event_id }) => event_id)).size).toBe(ledger.emitted);
        expect(events).toHaveLength(ledger.emitted);

        // The limit, in every window while it held; the file has them in the order they were emitted in.
        const limited = events.slice(0, emittedLimited);
        for (const [kind, perSecond] of Object.entries(LIMITS) as [Kind, number][]) {
          const times = timesOf(limited, kind);
          const burst = largestBurst(times, perSecond);
          console.log(
            `${kind}: ${times.length} emitted while limited, ${ledger.suppressed[kind]} suppressed, ` +
              `largest burst ${burst.toFixed(1)} of ${perSecond * BURST_SECONDS}`,
          );
          expect(burst).toBeLessThanOrEqual(perSecond * (BURST_SECONDS + CLOCK_SLACK_S));
          expect(ledger.suppressed[kind]).toBeGreaterThan(0);
        }

        // Every retransmit of the link, by the kernel's own count, suppressed or not.
        const addresses = [link.a.ipv4, link.b.ipv4];
        const ofLink = events.filter(({ local_address }) => addresses.includes(String(local_address)));
        const isSummary = (event: TcpEvent): event is RetransmitSummaryEvent =>
          event.event === 'tcp_retransmit_summary';
        const sum = (list: readonly TcpEvent[], name: 'retransmits' | 'retransmits_suppressed') =>
          list.filter(isSummary).reduce((total, { [name]: count }) => total + count, 0);
        const single = ofLink.filter(({ event }) => event === 'tcp_retransmit').length;
        expect(counted.TcpRetransSegs).toBeGreaterThan(50);
        expect(sum(ofLink, 'retransmits')).toBe(counted.TcpRetransSegs);
        expect(single + sum(ofLink, 'retransmits_suppressed')).toBe(counted.TcpRetransSegs);
        expect(sum(events, 'retransmits_suppressed')).toBe(ledger.suppressed['tcp_retransmit']);

        // Connections are followed all the same, whatever became of their state events.
        const opened = ofLink.filter(({ event }) => event === 'tcp_connect').length;
        expect(opened).toBe(counted.TcpActiveOpens);
      });
    } finally {
      await agent.stop('SIGKILL');
    }
  });
});
