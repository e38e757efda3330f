/**
 * Upgrade and rollback by the role across a change of the module's API, on a host with a kernel of its own and lossy traffic
 * that goes on: nothing that the kernel recorded is missing. `make test-guest-host`.
 */
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KtcEvent } from '../../src/event/tcp-event.ts';
import { countedByKernel, openLink, startTraffic } from '../support/guest-host/lossy-traffic.ts';
import { type GuestHost, startGuestHost, whyNoGuestHost } from '../support/guest-host.ts';
import { untilRuns } from '../support/hosts.ts';
import { type Broker, startBroker, whyNoKafka } from '../support/kafka.ts';
import { buildOlderPackage, OLDER_VERSION } from '../support/older-release.ts';
import { VERSION } from '../support/packages.ts';
import { describeSessions } from '../support/sessions.ts';
import { gateReader, openSite, type Site, whyNoSite } from '../support/site.ts';
import { missingIn } from '../support/topic-questions.ts';
import { until } from '../support/wait.ts';

const missing = whyNoSite() ?? whyNoKafka() ?? whyNoGuestHost();
if (missing) console.warn(`skipped: another API of the module by the role: ${missing}`);

const NAME = 'web1';
const TOPIC = 'ktc-events';
const HOUR_MS = 3_600_000;
const MORE_RETRANSMITS = 10;

describe.skipIf(missing)('a release with another API of the module', { timeout: HOUR_MS }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-guest-upgrade-'));
  let site: Site;
  let broker: Broker;
  let guest: GuestHost;

  const api = () => guest.run(NAME, 'cat /sys/module/tcp_trace/parameters/api');
  /** Until the kernel has sent some more segments again, under the eyes of the agent that runs now. */
  async function watchTraffic(version: string): Promise<void> {
    await untilRuns(guest, NAME, version);
    const { retransmits } = await countedByKernel(guest, NAME);
    await until(
      async () => (await countedByKernel(guest, NAME)).retransmits > retransmits + MORE_RETRANSMITS,
      'retransmits',
    );
  }

  beforeAll(async () => {
    site = await openSite({
      versions: [VERSION],
      hosts: [{ name: NAME, suite: 'bookworm', groups: ['web', 'canary'] }],
      start: async () => {
        guest = await startGuestHost(NAME, '6.1');
        return guest;
      },
    });
    const older = buildOlderPackage(directory);
    for (const name of readdirSync(older).filter((file) => file.startsWith('ktc-agent')))
      symlinkSync(join(older, name), join(site.packages, name));
    broker = await startBroker({ advertised: [guest.address] });
    await broker.createTopic(TOPIC, 2);
    const port = broker.misleadingAddresses[0]?.split(':')[1];
    Object.assign(site.groupVariables['all'] ?? {}, {
      ktc_agent_version: VERSION,
      ktc_agent_module: 'build',
      // Its CPUs are emulated.
      ktc_agent_deadline_s: 600,
      ktc_agent_gate_reader: gateReader(broker.address, TOPIC),
      ktc_agent_config__all: {
        source: { kind: 'module', module: { build: true }, buffer_kb: 16_384 },
        sink: { kafka: { enabled: true, brokers: [`${guest.address}:${port}`], topic: TOPIC } },
      },
    });
  });
  afterAll(async () => {
    await broker?.stop();
    await site?.close();
    rmSync(directory, { recursive: true });
  });

  it('comes and goes by the role under load, with its module, and every recorded event is in Kafka', async () => {
    const older = await site.play('install', '-e', `ktc_agent_version=${OLDER_VERSION}`);
    expect(older.code, older.output).toBe(0);
    expect(await api()).toBe('1\n');
    await openLink(guest, NAME);
    await startTraffic(guest, NAME);
    await watchTraffic(OLDER_VERSION);

    const upgraded = await site.play('install');
    expect(upgraded.code, upgraded.output).toBe(0);
    await watchTraffic(VERSION);

    // From here on the kernel has the module that the older release cannot read.
    await guest.reboot('6.1');
    await openLink(guest, NAME);
    await startTraffic(guest, NAME);
    await watchTraffic(VERSION);
    expect(await api()).toBe('2\n');

    const back = await site.play('rollback');
    expect(back.code, back.output).toBe(0);
    await watchTraffic(OLDER_VERSION);
    expect(await api()).toBe('1\n');
    await guest.run(NAME, 'systemctl stop traffic ktc-agent');

    const lines = await broker.consume(TOPIC);
    const file = join(directory, 'topic.ndjson');
    writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
    expect(missingIn(file)).toEqual([]);
    const sessions = describeSessions(lines.map((line) => JSON.parse(line) as KtcEvent));
    console.log(sessions);
    expect(sessions.map(({ version }) => version)).toEqual([OLDER_VERSION, VERSION, VERSION, OLDER_VERSION]);
    for (const session of sessions) {
      expect(session.found).toBe(session.emitted);
      expect(session.lost).toEqual({});
      expect(session.retransmits).toBeGreaterThan(MORE_RETRANSMITS);
    }
  });
});
