/**
 * A live agent on this host, lossy traffic, its events in a file: what `ktc report` and the questions to ClickHouse say of
 * them is what the agent says of itself.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { imbalances } from '../../src/ledger/ledger.ts';
import type { Summary } from '../../src/report/summary.ts';
import { KTC, startAgent, whyNoAgent } from '../support/agent.ts';
import { whyNoEngine } from '../support/chdb/engine.ts';
import { isOfFleet, type Question, questions } from '../support/chdb/questions.ts';
import type { FleetEvent } from '../support/fleet-truth/event.ts';
import { enter, openPlace, type Place } from '../support/namespace.ts';
import { compile } from '../support/traffic/traffic.ts';
import { until } from '../support/wait.ts';
import { expectSame } from './expected/compare.ts';
import { openRealEvents, type RealEvents } from './expected/real.ts';

const HOST = 'live-host';
const PORT = '5001';
const LOSS_PERCENT = 5;
/** Connections, open at a time, bytes of a request and of a response. */
const SHAPE = ['400', '40', '20000', '200'];
const asked = questions().filter(isOfFleet);
const missing = whyNoAgent() ?? whyNoEngine('26.9');
if (missing) console.warn(`skipped: a live agent's events in ClickHouse: ${missing}`);

describe.skipIf(missing)('the events of a live agent', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-live-'));
  const file = join(directory, 'events.ndjson');
  /** Of two runs of the agent, one after the other. */
  const ledgers: Ledger[] = [];
  let configHash: string;
  let place: Place;
  let events: FleetEvent[];
  let summary: Summary;
  let real: RealEvents;

  /** Requests from this host to a server in the place. */
  async function runTraffic(): Promise<void> {
    const program = await compile('connections');
    const [command, ...words] = enter(place.namespace);
    const server = spawn(command, [...words, program, 'serve', place.address, PORT], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const served = text(server.stdout);
    await Promise.race([once(server.stdout, 'data'), served]);
    const client = spawn(program, ['request', place.address, PORT, ...SHAPE], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    await once(client, 'close');
    server.stdin.end();
    await served;
  }

  beforeAll(async () => {
    place = await openPlace();
    await place.lose(LOSS_PERCENT);
    for (const run of [1, 2]) {
      const agent = await startAgent({
        config: {
          host: { name: HOST, labels: { rack: 'r1', service: 'tests' } },
          host_status: { interval_s: 1 },
          sink: { file: { enabled: true, path: file, max_bytes: 1 << 30, max_files: 1 } },
        },
      });
      configHash = (await agent.status()).host_status.config_hash;
      if (run === 1) await runTraffic();
      const reports = () => readFileSync(file, 'utf8').split('"event":"host_status"').length - 1;
      const before = reports();
      await until(() => reports() >= before + 2, 'two more reports of the host');
      expect(await agent.stop()).toBe(0);
      ledgers.push(agent.finalLedger());
    }
    events = readFileSync(file, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as FleetEvent);
    summary = JSON.parse(
      execFileSync(KTC, ['report', '--json', file], { encoding: 'utf8', maxBuffer: 1 << 28 }),
    );
    const address = events.find(({ event }) => event === 'tcp_connect')?.local_address ?? '';
    real = await openRealEvents(events, { rack_a: 'r1', service: 'tests', address });
  });
  afterAll(async () => {
    await real?.engine.stop();
    await place?.close();
    rmSync(directory, { recursive: true });
  });

  const sumOf = (of: (ledger: Ledger) => number): number =>
    ledgers.reduce((sum, ledger) => sum + of(ledger), 0);

  it('are in the account of the report as in the account of the agent, and nothing is missing', () => {
    expect(ledgers.flatMap(imbalances)).toEqual([]);
    expect(summary.account).toHaveLength(1);
    expect(summary.account[0]).toMatchObject({
      ...{ host: HOST, sessions: 2, missing: 0, config_hash: configHash, is_silent: false },
      expected: sumOf(({ emitted }) => emitted),
      seen: sumOf(({ sinks }) => sinks['file']?.delivered ?? 0),
    });
    expect(summary.input).toMatchObject({ events: events.length, malformed: 0, duplicates: 0 });
    const lost = sumOf(({ lost: reasons }) => Object.values(reasons).reduce((sum, count) => sum + count, 0));
    expect(summary.headlines.find(({ id }) => id === 'missing')).toMatchObject({ level: 'good' });
    expect(summary.headlines.some(({ id }) => id === 'lost_records')).toBe(lost > 0);
  });

  it('are counted by the report as they are', () => {
    const retransmits = events.filter(({ event }) => event === 'tcp_retransmit').length;
    expect(retransmits).toBeGreaterThan(0);
    expect(summary.total['retransmits']).toBe(retransmits);
    expect(summary.hosts).toEqual([expect.objectContaining({ host: HOST, rack: 'r1', retransmits })]);
  });

  it.each(asked)('answer $name', async (question) => {
    expectSame(await real.ask(question), real.truthOf(question));
  });

  it('are proved to be complete, and what the kernel counted is there', async () => {
    const answer = (name: string) => real.ask(asked.find((question) => question.name === name) as Question);
    const proof = await answer('20-proof');
    expect(proof).toHaveLength(2);
    for (const row of proof) expect(row).toMatchObject({ host: HOST, missing: 0, unexplained: 0 });
    for (const { kernel, events: found } of await answer('22-proof-of-the-kernel'))
      expect(Number(found)).toBeGreaterThanOrEqual(Number(kernel));
  });
});
