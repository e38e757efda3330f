/**
 * The role ktc_agent with each kind of package, changed under load in both directions: what the topic says of it, by the
 * account that every host_status has.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KtcEvent } from '../../src/event/tcp-event.ts';
import { inventoriesOf } from '../support/host/inventory.ts';
import { type Broker, startBroker, whyNoKafka } from '../support/kafka.ts';
import { buildEl7Base, NEXT, VERSION } from '../support/packages.ts';
import { describeSessions, sessionOf } from '../support/sessions.ts';
import { gateReader, openSite, type Site, traceOnly, whyNoSite } from '../support/site.ts';
import { missingIn } from '../support/topic-questions.ts';

const missing = whyNoSite() ?? whyNoKafka();
if (missing) console.warn(`skipped: the role with each package: ${missing}`);

const TOPIC = 'ktc-events';
const NAMES = ['rpm1', 'deb1', 'tar1'];
const NOTHING = Object.fromEntries(NAMES.map((name) => [name, 0]));

describe.skipIf(missing)('the role with each package', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-role-packages-'));
  let site: Site;
  let broker: Broker;
  let before: Map<string, string[]>;

  const onEach = (script: string) => Promise.all(NAMES.map((name) => site.hosts.run(name, script)));
  const pids = () => onEach('systemctl show -p MainPID --value ktc-agent');
  const versions = () => onEach('ktc --version');
  const configuration = () => onEach('tail -n +1 /etc/ktc/agent.json /etc/ktc/conf.d/*.json');

  beforeAll(async () => {
    site = await openSite({
      versions: [VERSION, NEXT],
      hosts: [
        { name: 'rpm1', suite: 'bullseye', groups: ['web'], package: 'rpm' },
        { name: 'deb1', suite: 'bookworm', groups: ['web'], package: 'deb' },
        { name: 'tar1', suite: 'bookworm', groups: ['web'] },
      ],
    });
    broker = await startBroker({ host: site.hosts.address });
    await broker.createTopic(TOPIC, 2);
    const [address, port] = broker.address.split(':');
    Object.assign(site.groupVariables['all'] ?? {}, {
      ktc_agent_version: VERSION,
      ktc_agent_gate_reader: gateReader(broker.address, TOPIC),
      ktc_agent_config__all: {
        source: traceOnly(Number(port)),
        sink: { kafka: { enabled: true, brokers: [broker.address], topic: TOPIC } },
      },
    });
    // A database of rpm that knows what EL7 has, and the directories of EL7 that no package of ours owns.
    const base = readFileSync(buildEl7Base(directory), 'base64');
    await site.hosts.run(
      'rpm1',
      `base64 --decode > /root/base.rpm <<'END'\n${base}\nEND
       rpm --upgrade /root/base.rpm; mkdir -p /etc/sysconfig /usr/share/man/man8 /etc/yum.repos.d
       printf '[dead]\nname=dead\nbaseurl=http://192.0.2.1/\nenabled=1\n' >/etc/yum.repos.d/dead.repo`,
    );
    before = await inventoriesOf(site.hosts, NAMES);
    await onEach(
      `systemd-run --quiet --unit load bash -c 'while :; do (exec 3<>/dev/tcp/${address}/${port}); sleep 0.5; done'`,
    );
  });
  afterAll(async () => {
    await broker?.stop();
    await site?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it('installs each as it has predicted, and then has nothing to do', async () => {
    const predicted = await site.play('install', '--check', '--diff');
    expect(predicted.code, predicted.output).toBe(0);
    const first = await site.play('install');
    expect(first.code, first.output).toBe(0);
    expect(first.changed).toEqual(predicted.changed);
    expect(await site.hosts.run('rpm1', 'rpm --query ktc-agent')).toBe(`ktc-agent-${VERSION}-1.x86_64\n`);
    expect(await site.hosts.run('deb1', 'dpkg-query --show ktc-agent')).toBe(`ktc-agent\t${VERSION}-1\n`);
    expect(await onEach('systemctl is-active ktc-agent; systemctl is-enabled ktc-agent')).toEqual(
      NAMES.map(() => 'active\nenabled\n'),
    );
    expect((await site.play('install', '--diff')).changed).toEqual(NOTHING);
  });

  it('gives the RPM, which is made for systemd 219, what a newer systemd knows besides', async () => {
    const property = 'systemctl show -p ProtectSystem,NoNewPrivileges ktc-agent';
    expect(await site.hosts.run('rpm1', property)).toBe('ProtectSystem=strict\nNoNewPrivileges=yes\n');
  });

  it('upgrades each under load, keeps the configuration, and keeps the way back on the host', async () => {
    const config = await configuration();
    const upgraded = await site.play('install', '-e', `ktc_agent_version=${NEXT}`);
    expect(upgraded.code, upgraded.output).toBe(0);
    expect(await versions()).toEqual(NAMES.map(() => `${NEXT}\n`));
    expect(await configuration()).toEqual(config);
    expect(await site.hosts.run('rpm1', 'ls /opt/ktc-agent/packages/*.rpm')).toContain(
      `-${VERSION}-1.x86_64`,
    );
    expect(await site.hosts.run('deb1', 'ls /opt/ktc-agent/packages/*.deb')).toContain(`_${VERSION}-1_amd64`);
  });

  it('leaves package, configuration and agent alone where the other version refuses the configuration', async () => {
    const [running, config] = [await pids(), await configuration()];
    site.groupVariables['web'] = { ktc_agent_config__web: { batch: { linger: 5 } } };
    try {
      const refused = await site.play('install');
      expect(refused.code).toBe(2);
      expect(refused.output).toMatch(/rpm1\]: FAILED! .*ktc_agent_config__web of group web: batch\.linger/);
    } finally {
      delete site.groupVariables['web'];
    }
    expect(await versions()).toEqual(NAMES.map(() => `${NEXT}\n`));
    expect([await pids(), await configuration()]).toEqual([running, config]);
    await onEach('ktc status');
  });

  it('tells which files a package has left beside changed ones', async () => {
    await site.hosts.run('rpm1', 'touch /etc/sysconfig/ktc-agent.rpmnew');
    const { output } = await site.play('install', '--limit', 'rpm1', '-e', `ktc_agent_version=${NEXT}`);
    expect(output).toContain('Compare with the file beside it, and remove: /etc/sysconfig/ktc-agent.rpmnew');
    await site.hosts.run('rpm1', 'rm /etc/sysconfig/ktc-agent.rpmnew');
  });

  it('goes back under load by one playbook, by the files on the host alone', async () => {
    const back = await site.play('rollback', '-e', 'ktc_agent_package_directory=/nowhere');
    expect(back.code, back.output).toBe(0);
    expect(await versions()).toEqual(NAMES.map(() => `${VERSION}\n`));
    expect((await site.play('install')).changed).toEqual(NOTHING);
  });

  it('uninstalls each without a difference', async () => {
    await onEach('systemctl stop load');
    const removed = await site.play('uninstall');
    expect(removed.code, removed.output).toBe(0);
    expect(await inventoriesOf(site.hosts, NAMES)).toEqual(before);
    expect((await site.play('uninstall')).changed).toEqual(NOTHING);
  });

  it('has lost nothing: the topic holds every event of every agent that ran', async () => {
    const lines = [...new Set(await broker.consume(TOPIC))];
    const topic = join(directory, 'topic.ndjson');
    writeFileSync(topic, lines.map((line) => `${line}\n`).join(''));
    expect(missingIn(topic)).toEqual([]);

    const events = lines.map((line) => JSON.parse(line) as KtcEvent);
    const inOrder = events.sort((one, other) => (one.timestamp < other.timestamp ? -1 : 1));
    for (const name of NAMES) {
      const ofHost = inOrder.filter(({ host }) => host === name);
      const sessions = [...Map.groupBy(ofHost, sessionOf).values()];
      const described = describeSessions(ofHost);
      expect(described.map(({ version }) => version)).toEqual([VERSION, NEXT, VERSION]);
      expect(described.map(({ emitted }) => emitted)).toEqual(described.map(({ found }) => found));
      for (const { lost } of described) expect(lost).toEqual({});

      const connects = sessions.map((session) => session.filter(({ event }) => event === 'tcp_connect'));
      for (const { length } of connects) expect(length).toBeGreaterThan(0);
      const pauses = connects
        .slice(1)
        .map((after, index) => timeOf(after[0]) - timeOf(connects[index]?.at(-1)));
      console.log(
        `${name}: ${sessions.map(({ length }) => length).join(' + ')} events, ${pauses.join(' and ')} ms without`,
      );
    }
  });
});

const timeOf = (event: KtcEvent | undefined): number => Date.parse(event?.timestamp ?? '');
