/**
 * The kernel module by the role, in each of its ways, on a host with a kernel of its own: installed over ssh, there again after
 * a reboot and after a new kernel, and what the kernel counts is in Kafka on the controller. `make test-guest-host`.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KtcEvent } from '../../src/event/tcp-event.ts';
import { expectAttempts } from '../support/guest/attempts.ts';
import { buildGuestModule } from '../support/guest/module.ts';
import { releaseOf } from '../support/guest.ts';
import { countedByKernel, makeConnections, openLink } from '../support/guest-host/lossy-traffic.ts';
import { type GuestHost, startGuestHost, whyNoGuestHost } from '../support/guest-host.ts';
import { type Broker, startBroker, whyNoKafka } from '../support/kafka.ts';
import { VERSION } from '../support/packages.ts';
import { gateReader, openSite, type Site, whyNoSite } from '../support/site.ts';
import { missingIn } from '../support/topic-questions.ts';
import { until } from '../support/wait.ts';

const missing = whyNoSite() ?? whyNoKafka() ?? whyNoGuestHost();
if (missing) console.warn(`skipped: the module on a host with its own kernel: ${missing}`);

const NAME = 'web1';
const TOPIC = 'ktc-events';
const CONNECTIONS = 60;
const HOUR_MS = 3_600_000;
/** Where each way puts the module. */
const WAYS = [
  { way: 'build', place: 'updates/tcp_trace.ko' },
  { way: 'dkms', place: 'updates/dkms/tcp_trace.ko' },
  { way: 'prebuilt', place: 'extra/tcp_trace.ko' },
] as const;

describe.skipIf(missing).each(WAYS)('a host with a kernel of its own: $way', { timeout: HOUR_MS }, (row) => {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-guest-module-'));
  let site: Site;
  let broker: Broker;
  let guest: GuestHost;
  let before: string;

  const run = (script: string) => guest.run(NAME, script);
  /** All that the module may leave, and what modprobe knows of it. */
  const traces = () =>
    run(
      `{ find /lib/modules/*/{extra,updates} /usr/src /var/lib/dkms -not -name 'mok.*' 2>/dev/null || true; } | sort
       cat /lib/modules/*/modules.dep; cut -d ' ' -f 1 /proc/modules | grep tcp_trace || true`,
    );

  /** Makes lossy traffic and looks for it in the topic, and at where the module in use comes from. */
  async function expectEvents(release: string): Promise<void> {
    expect(await run('uname -r')).toBe(`${release}\n`);
    expect(await run('modinfo -n tcp_trace')).toMatch(new RegExp(`/${row.place}(.xz)?\n$`));
    await until(async () => (await guest.attempt(NAME, 'ktc status')).code === 0, 'the agent to be ready');
    expect(JSON.parse(await run('ktc status --json'))).toMatchObject({ source: { kind: 'module' } });
    await openLink(guest, NAME);
    await makeConnections(guest, NAME, CONNECTIONS);
    const counted = await countedByKernel(guest, NAME);
    const last = (await run('ktc status --emit')).trim();
    const isThere = (line: string) => line.includes(`"event_id":"${last}"`);
    await until(async () => (await broker.consume(TOPIC)).some(isThere), `${last} in Kafka`);

    const lines = await broker.consume(TOPIC);
    const events = lines.map((line) => JSON.parse(line) as KtcEvent);
    const boot = (await run('cat /proc/sys/kernel/random/boot_id')).trim();
    const ofLink = events.filter(
      (event) => event.boot_id === boot && 'netns' in event && counted.netns.includes(event.netns ?? 0),
    );
    const countOf = (kind: string) => ofLink.filter(({ event }) => event === kind).length;
    console.log(
      `${row.way}, ${release}: the kernel counted ${counted.retransmits} retransmits, Kafka has ${countOf('tcp_retransmit')}`,
    );
    expect(new Set(ofLink.map(({ kernel }) => kernel))).toEqual(new Set([release]));
    expect(countOf('tcp_connect')).toBe(CONNECTIONS);
    expect(counted.retransmits).toBeGreaterThan(CONNECTIONS / 2);
    expectAttempts(countOf('tcp_retransmit'), counted.retransmits);
    const file = join(directory, 'topic.ndjson');
    writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
    expect(missingIn(file)).toEqual([]);
  }

  beforeAll(async () => {
    site = await openSite({
      versions: [VERSION],
      hosts: [{ name: NAME, suite: 'bookworm', groups: ['web'] }],
      start: async () => {
        guest = await startGuestHost(NAME, '6.1');
        return guest;
      },
    });
    broker = await startBroker({ advertised: [guest.address] });
    await broker.createTopic(TOPIC, 2);
    const port = broker.misleadingAddresses[0]?.split(':')[1];
    for (const kernel of row.way === 'prebuilt' ? (['6.1', '6.12'] as const) : []) {
      mkdirSync(join(directory, releaseOf(kernel)));
      copyFileSync(buildGuestModule(kernel), join(directory, releaseOf(kernel), 'tcp_trace.ko'));
    }
    Object.assign(site.groupVariables['all'] ?? {}, {
      ktc_agent_version: VERSION,
      ktc_agent_module: row.way,
      ktc_agent_module_directory: directory,
      // Its CPUs are emulated.
      ktc_agent_deadline_s: 600,
      ktc_agent_gate_reader: gateReader(broker.address, TOPIC),
      ktc_agent_config__all: {
        source: { kind: 'module', module: { build: row.way === 'build' } },
        sink: { kafka: { enabled: true, brokers: [`${guest.address}:${port}`], topic: TOPIC } },
      },
    });
    before = await traces();
  });
  afterAll(async () => {
    await broker?.stop();
    await site?.close();
    rmSync(directory, { recursive: true });
  });

  it('gets the module by the role, as check mode predicts, and its events arrive', async () => {
    const predicted = await site.play('install', '--check', '--diff');
    expect(predicted.code, predicted.output).toBe(0);
    expect(await traces()).toBe(before);
    const installed = await site.play('install');
    expect(installed.code, installed.output).toBe(0);
    expect(installed.changed).toEqual(predicted.changed);
    await expectEvents(releaseOf('6.1'));
  });

  it('has it again after a reboot', async () => {
    await guest.reboot('6.1');
    await expectEvents(releaseOf('6.1'));
  });

  it('has it after the kernel was changed', async () => {
    await run('INITRD=No dpkg --install /root/kernel-6.12/*.deb');
    if (row.way === 'prebuilt') {
      const brought = await site.play('install', '--tags', 'module');
      expect(brought.code, brought.output).toBe(0);
      expect(brought.changed).toEqual({ [NAME]: 2 });
    }
    await guest.reboot('6.12');
    await expectEvents(releaseOf('6.12'));
    const again = await site.play('install', '--diff');
    expect(again.code, again.output).toBe(0);
    expect(again.changed).toEqual({ [NAME]: 0 });
  });

  it('takes it away with the agent', async () => {
    // Of the new kernel, which came without a module.
    const removed = await site.play('uninstall');
    expect(removed.code, removed.output).toBe(0);
    expect(await traces()).not.toContain('tcp_trace');
    expect(await run('find /lib/modules/*/{extra,updates} 2>/dev/null || true')).toBe('');
  });
});
