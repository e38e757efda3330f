/**
 * Upgrade and rollback across a change of the module's API, by the role, on a host with a kernel of its own and under load: what
 * the topic says of every session. The older release knows API 1 only. `make test-guest-host`.
 */
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HostStatusEvent, KtcEvent } from '../../src/event/tcp-event.ts';
import { openLink, startConnections, stopConnections } from '../support/guest-host/lossy-traffic.ts';
import { type GuestHost, startGuestHost, whyNoGuestHost } from '../support/guest-host.ts';
import { type Broker, startBroker, whyNoKafka } from '../support/kafka.ts';
import { buildOlderRelease } from '../support/older-release.ts';
import { VERSION } from '../support/packages.ts';
import { gateReader, openSite, type Site, whyNoSite } from '../support/site.ts';
import { askEvents, type MissingRow } from '../support/topic-questions.ts';
import { until } from '../support/wait.ts';

const missing = whyNoSite() ?? whyNoKafka() ?? whyNoGuestHost();
if (missing) console.warn(`skipped: upgrade across an API of the module: ${missing}`);

const NAME = 'web1';
const OLDER = '0.0.9';
const TOPIC = 'ktc-events';
const HOUR_MS = 3_600_000;

interface Session {
  readonly version: string | undefined;
  readonly emitted: number;
  readonly found: number;
  readonly lost: Readonly<Record<string, number>>;
  readonly retransmits: number;
  /** Whether they say what their connection has sent, as only API 2 does. */
  readonly saysSent: boolean;
}

/** With the Debian package, the sources that DKMS has are gone once the other version is installed. */
const WAYS = [
  { way: 'build', format: 'tarball' },
  { way: 'dkms', format: 'deb' },
] as const;

describe.skipIf(missing).each(WAYS)(
  'another API of the module: $way, $format',
  { timeout: HOUR_MS },
  ({ way, format }) => {
    const directory = mkdtempSync(join(tmpdir(), 'ktc-guest-upgrade-'));
    let site: Site;
    let broker: Broker;
    let guest: GuestHost;

    const run = (script: string) => guest.run(NAME, script);
    /** Of the running agent, the loaded module, and the module that the next load takes. */
    const versions = async () => {
      const status = JSON.parse(await run('ktc status --json')) as {
        version: string;
        source: { kind: string };
      };
      const apis = await run('cat /sys/module/tcp_trace/parameters/api; modinfo -F ktc_api tcp_trace');
      const [loaded, installed] = apis.split('\n').map(Number);
      return { agent: status.version, kind: status.source.kind, loaded, installed };
    };

    /** Waits until the topic has a retransmit that came after this. */
    const awaitRetransmit = async () => {
      const since = (await run('date -u +%FT%T')).trim();
      const hasOne = async () =>
        (await broker.consume(TOPIC))
          .map((line) => JSON.parse(line) as KtcEvent)
          .some(({ event, timestamp }) => event === 'tcp_retransmit' && timestamp > since);
      await until(hasOne, 'a retransmit in Kafka');
    };

    beforeAll(async () => {
      site = await openSite({
        versions: [VERSION],
        hosts: [{ name: NAME, suite: 'bookworm', groups: ['web'], package: format }],
        start: async () => {
          guest = await startGuestHost(NAME, '6.1');
          return guest;
        },
      });
      const older = buildOlderRelease(OLDER, format);
      for (const file of readdirSync(older).filter((name) => name.startsWith('ktc-agent')))
        copyFileSync(join(older, file), join(site.packages, file));
      rmSync(older, { recursive: true });
      broker = await startBroker({ advertised: [guest.address] });
      await broker.createTopic(TOPIC, 2);
      const port = broker.misleadingAddresses[0]?.split(':')[1];
      Object.assign(site.groupVariables['all'] ?? {}, {
        ktc_agent_version: OLDER,
        ktc_agent_module: way,
        // Its CPUs are emulated.
        ktc_agent_deadline_s: 600,
        ktc_agent_gate_reader: gateReader(broker.address, TOPIC),
        ktc_agent_config__all: {
          source: { kind: 'module' },
          sink: { kafka: { enabled: true, brokers: [`${guest.address}:${port}`], topic: TOPIC } },
        },
      });
      const installed = await site.play('install');
      expect(installed.code, installed.output).toBe(0);
      await openLink(guest, NAME);
      await startConnections(guest, NAME);
    });
    afterAll(async () => {
      await broker?.stop();
      await site?.close();
      rmSync(directory, { recursive: true });
    });

    it('upgrades the agent, which reads the module of the version before, and builds its own', async () => {
      expect(await versions()).toEqual({ agent: OLDER, kind: 'module', loaded: 1, installed: 1 });
      await awaitRetransmit();
      const upgraded = await site.play('install', '-e', `ktc_agent_version=${VERSION}`);
      expect(upgraded.code, upgraded.output).toBe(0);
      expect(await versions()).toEqual({ agent: VERSION, kind: 'module', loaded: 1, installed: 2 });
      await awaitRetransmit();
    });

    it('reads its own module once that is loaded', async () => {
      await run('systemctl stop ktc-agent && ktc module unload && systemctl start ktc-agent');
      expect(await versions()).toEqual({ agent: VERSION, kind: 'module', loaded: 2, installed: 2 });
      const again = await site.play('install', '-e', `ktc_agent_version=${VERSION}`);
      expect(again.changed, again.output).toEqual({ [NAME]: 0 });
      await awaitRetransmit();
    });

    it('goes back to the agent that cannot read it, with the module that this one knows', async () => {
      const back = await site.play('rollback');
      expect(back.code, back.output).toBe(0);
      expect(await versions()).toEqual({ agent: OLDER, kind: 'module', loaded: 1, installed: 1 });
      await awaitRetransmit();
    });

    it('has lost nothing: the topic holds every event of every session', async () => {
      await stopConnections(guest, NAME);
      await run('systemctl stop ktc-agent');
      const lines = [...new Set(await broker.consume(TOPIC))];
      const file = join(directory, 'topic.ndjson');
      writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
      const rows = askEvents<MissingRow>('missing.jq', `cat ${file}`);
      expect(rows.flatMap((row) => row.missing)).toEqual([]);

      const events = lines
        .map((line) => JSON.parse(line) as KtcEvent)
        .sort((one, other) => (one.timestamp < other.timestamp ? -1 : 1));
      const sessions = [...Map.groupBy(events, sessionOf).values()].map(describeSession);
      console.log(way, sessions);
      expect(sessions.map(({ version }) => version)).toEqual([OLDER, VERSION, VERSION, OLDER]);
      expect(sessions.map(({ saysSent }) => saysSent)).toEqual([false, false, true, false]);
      for (const session of sessions) {
        expect(session.found).toBe(session.emitted);
        expect(session.lost).toEqual({});
        expect(session.retransmits).toBeGreaterThan(0);
      }
    });
  },
);

/** The trace session that an event belongs to. */
const sessionOf = ({ event_id }: KtcEvent): string => event_id.split('-').slice(0, -2).join('-');
const isHostStatus = (event: KtcEvent): event is HostStatusEvent => event.event === 'host_status';

function describeSession(events: readonly KtcEvent[]): Session {
  // The agent emits its last host_status when it stops: the account of the whole session.
  const last = events.findLast(isHostStatus);
  const retransmits = events.filter((event) => event.event === 'tcp_retransmit');
  const lost = Object.entries(last?.ledger ?? {}).filter(([key, count]) => /^lost\./.test(key) && count > 0);
  return {
    version: last?.agent_version,
    emitted: (last?.ledger['emitted'] ?? 0) + 1,
    found: events.length,
    lost: Object.fromEntries(lost),
    retransmits: retransmits.length,
    saysSent: retransmits.some(({ segments_sent }) => segments_sent !== null),
  };
}
