/** The role ktc_agent over ssh: hosts with Python 2.7 and with Python 3, the packages with their own runtime, a real Kafka. */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inventoriesOf } from '../support/host/inventory.ts';
import { untilRuns } from '../support/hosts.ts';
import { type Broker, startBroker, whyNoKafka } from '../support/kafka.ts';
import { NEXT, VERSION } from '../support/packages.ts';
import { NEWER_PROGRAMS, openSite, PROGRAMS, type Site, traceOnly, whyNoSite } from '../support/site.ts';
import { until } from '../support/wait.ts';

const missing = whyNoSite() ?? whyNoKafka();
if (missing) console.warn(`skipped: the role: ${missing}`);

const TOPIC = 'ktc-events';
const SECRET = 'planted-Secret-4711';
const NAMES = ['web1', 'web2', 'db1', 'db2'];

interface Shown {
  readonly origins: Readonly<Record<string, string>>;
}

describe.skipIf(missing)('the role', () => {
  let site: Site;
  let broker: Broker;
  const before = new Map<string, string[]>();

  const pidOf = (name: string) => site.hosts.run(name, 'systemctl show -p MainPID --value ktc-agent');
  const stateOf = async (name: string) =>
    (
      await site.hosts.attempt(name, 'systemctl is-active ktc-agent || true; systemctl is-enabled ktc-agent')
    ).stdout.trim();
  const shown = async (name: string) =>
    JSON.parse(await site.hosts.run(name, 'ktc config show --json')) as Shown;
  const files = async (name: string) => (await site.hosts.run(name, 'ls /etc/ktc/conf.d')).trim().split('\n');

  const inventories = () => inventoriesOf(site.hosts, NAMES);

  beforeAll(async () => {
    site = await openSite({
      versions: [VERSION, NEXT],
      hosts: [
        { name: 'web1', suite: 'bullseye', groups: ['web', 'canary'] },
        { name: 'web2', suite: 'bookworm', groups: ['web'] },
        { name: 'db1', suite: 'bookworm', groups: ['db'] },
        { name: 'db2', suite: 'bullseye', groups: ['db'] },
      ],
    });
    broker = await startBroker({ host: site.hosts.address });
    await broker.createTopic(TOPIC, 2);
    const port = Number(broker.address.split(':')[1]);
    Object.assign(site.groupVariables['all'] ?? {}, {
      ktc_agent_version: VERSION,
      ktc_agent_config__all: {
        host: { labels: { datacenter: 'a', role: 'none' } },
        source: traceOnly(port),
        sink: { kafka: { enabled: true, brokers: [broker.address], topic: TOPIC } },
      },
    });
    site.groupVariables['web'] = { ktc_agent_config__web: { host: { labels: { role: 'web' } } } };
    for (const [name, found] of await inventories()) before.set(name, found);
  });
  afterAll(async () => {
    await broker?.stop();
    await site?.close();
  });

  it('refuses what would end without an error and without a change: an empty pattern, tags that nothing has', async () => {
    const apart = await site.play('status', '-e', 'ktc_agent_hosts=wbe');
    const tagged = await site.play('rollout', '--tags', 'configure');
    expect([apart.code, tagged.code]).toEqual([2, 2]);
    expect(apart.output).toContain('No host is in wbe');
    expect(tagged.output).toContain('Only the playbook install has tags');
  });

  it('predicts in check mode on bare hosts what the first run does, and the second run does nothing', async () => {
    const predicted = await site.play('install', '--check', '--diff');
    expect(predicted.code, predicted.output).toBe(0);
    expect(predicted.output).toContain('+release');
    for (const playbook of ['rollout', 'uninstall']) {
      const checked = await site.play(playbook, '--check', '--limit', 'web');
      expect(checked.code, checked.output).toBe(0);
    }
    expect(await inventories()).toEqual(before);

    const first = await site.play('install');
    expect(first.code, first.output).toBe(0);
    expect(first.changed).toEqual(predicted.changed);
    for (const name of NAMES) expect(await stateOf(name)).toBe('active\nenabled');

    const second = await site.play('install', '--diff');
    expect(second.code, second.output).toBe(0);
    expect(second.changed).toEqual({ web1: 0, web2: 0, db1: 0, db2: 0 });
  });

  it('makes each override visible on the host with its layer, and in the events in Kafka', async () => {
    site.hostVariables['web2'] = {
      ...site.hostVariables['web2'],
      ktc_agent_config__host: {
        source: { instance: site.hosts.instance('web2') },
        host: { labels: { rack: 'r7' } },
      },
    };
    // By the newer Ansible, of which this host has the Python.
    site.programs = NEWER_PROGRAMS;
    const changed = await site.play('install', '--limit', 'web2');
    site.programs = PROGRAMS;
    expect(changed.code, changed.output).toBe(0);
    expect(changed.changed).toEqual({ web2: 2 });

    expect(await files('web2')).toEqual(['00-all.json', '21-web.json', '99-host.json']);
    expect((await shown('web2')).origins).toMatchObject({
      'host.labels.datacenter': '/etc/ktc/conf.d/00-all.json',
      'host.labels.role': '/etc/ktc/conf.d/21-web.json',
      'host.labels.rack': '/etc/ktc/conf.d/99-host.json',
    });
    const [address, port] = broker.address.split(':');
    for (const name of NAMES) await site.hosts.run(name, `exec 3<>/dev/tcp/${address}/${port}`);
    const labelsOf = async (kind: string) => {
      const events = (await broker.consume(TOPIC)).map(
        (line) => JSON.parse(line) as { event: string; host: string; labels: object },
      );
      return new Map(events.filter(({ event }) => event === kind).map(({ host, labels }) => [host, labels]));
    };
    await until(async () => (await labelsOf('tcp_connect')).size === NAMES.length, 'connects of all hosts');
    for (const kind of ['tcp_connect', 'host_status']) {
      const labels = await labelsOf(kind);
      expect(labels.get('web1')).toEqual({ datacenter: 'a', role: 'web' });
      expect(labels.get('web2')).toEqual({ datacenter: 'a', role: 'web', rack: 'r7' });
      expect(labels.get('db1')).toEqual({ datacenter: 'a', role: 'none' });
    }
  });

  it('reloads where the agent can, and restarts where it must', async () => {
    const pid = await pidOf('db1');
    site.groupVariables['db'] = { ktc_agent_config__db: { events: { tcp_state: false } } };
    const reloaded = await site.play('install', '--limit', 'db1', '-v');
    expect(reloaded.output).toContain('"action": "reloaded"');
    expect(await pidOf('db1')).toBe(pid);

    site.groupVariables['db'] = { ktc_agent_config__db: { queue: { max_bytes: 8_388_608 } } };
    const restarted = await site.play('install', '--limit', 'db1', '-v');
    expect(restarted.output).toContain('"action": "restarted"');
    expect(await pidOf('db1')).not.toBe(pid);
    expect((await shown('db1')).origins['queue.max_bytes']).toBe('/etc/ktc/conf.d/21-db.json');

    // A host that leaves a group loses its layer.
    site.groupVariables['db'] = {};
    expect((await site.play('install', '--limit', 'db1')).code).toBe(0);
    expect(await files('db1')).toEqual(['00-all.json', '99-host.json']);
  });

  it('completes what an interrupted run has begun', async () => {
    const pid = await pidOf('db1');
    // As if the run had ended after the files were written, and the operator had written a file of his own.
    await site.hosts.run('db1', `echo '{"queue":{"max_bytes":8388608}}' > /etc/ktc/conf.d/50-incident.json`);
    const run = await site.play('install', '--limit', 'db1');
    expect(run.changed).toEqual({ db1: 1 });
    expect(await pidOf('db1')).not.toBe(pid);
    expect(await files('db1')).toEqual(['00-all.json', '50-incident.json', '99-host.json']);
    await site.hosts.run('db1', 'rm /etc/ktc/conf.d/50-incident.json');
  });

  it.each([
    {
      mistake: 'an unknown key',
      variables: { ktc_agent_config__web: { batch: { linger: 5 } } },
      says: /ktc_agent_config__web of group web: batch\.linger: unknown key, the nearest is batch\.linger_ms/,
    },
    {
      mistake: 'a number that Jinja has made text',
      variables: { n: 3, ktc_agent_config__web: { batch: { linger_ms: '{{ n + 1 }}' } } },
      says: /ktc_agent_config__web of group web: batch\.linger_ms: .*text where a number is needed/,
    },
    {
      mistake: 'a name that is no group of the host',
      variables: { ktc_agent_config__wbe: {} },
      says: /ktc_agent_config__wbe names no group of this host.*canary, ktc_agents, web/,
    },
    {
      mistake: 'default(omit)',
      variables: { ktc_agent_config__web: { batch: { linger_ms: '{{ nothing | default(omit) }}' } } },
      says: /ktc_agent_config__web: batch\.linger_ms is default\(omit\)/,
    },
    {
      mistake: 'a variable that the role has not got',
      variables: { ktc_agent_verison: NEXT },
      says: /The role has no variable ktc_agent_verison \(ktc_agent_version is meant\?\)/,
    },
    {
      mistake: 'a version of which the controller has no package, on a host with little space',
      variables: { ktc_agent_version: '9.9.9', ktc_agent_minimum_free_mb: 99_000_000 },
      says: /The controller has no \S+9\.9\.9\S+: .*Less than 99000000 MB .* are free in \/opt, \/usr, \/var\/lib, \/var\/tmp\./,
    },
  ])('refuses $mistake and leaves the running agent alone', async ({ variables, says }) => {
    const pid = await pidOf('web1');
    const content = await site.hosts.run('web1', 'cat /etc/ktc/conf.d/*');
    const sound = site.groupVariables['web'];
    site.groupVariables['web'] = variables;
    try {
      const refused = await site.play('install', '--limit', 'web1');
      expect(refused.code).toBe(2);
      expect(refused.output).toMatch(says);
    } finally {
      site.groupVariables['web'] = sound ?? {};
    }
    expect(await site.hosts.run('web1', 'cat /etc/ktc/conf.d/*')).toBe(content);
    expect(await pidOf('web1')).toBe(pid);
    await site.hosts.run('web1', 'ktc status');
  });

  it('refuses dictionaries that Ansible merges, and a sink that the host cannot reach, before it changes anything', async () => {
    process.env['ANSIBLE_HASH_BEHAVIOUR'] = 'merge';
    const merging = await site.play('install', '--limit', 'web1').finally(() => {
      delete process.env['ANSIBLE_HASH_BEHAVIOUR'];
    });
    expect(merging.code).toBe(2);
    expect(merging.output).toContain('set it to replace in ansible.cfg');

    site.groupVariables['web'] = {
      ktc_agent_config__web: { sink: { kafka: { brokers: ['192.0.2.1:9092'] } } },
    };
    const content = await site.hosts.run('web1', 'cat /etc/ktc/conf.d/*');
    const apart = await site.play('install', '--limit', 'web1');
    site.groupVariables['web'] = { ktc_agent_config__web: { host: { labels: { role: 'web' } } } };
    expect(apart.code).toBe(2);
    expect(apart.output).toMatch(/sink kafka cannot be reached from this host: 192\.0\.2\.1:9092: /);
    expect(await site.hosts.run('web1', 'cat /etc/ktc/conf.d/*')).toBe(content);
  });

  it('refuses DKMS with the kernel of an EL7 whose os-release is like fedora', async () => {
    const facts = {
      kernel: '3.10.0-1160.el7.x86_64',
      // Oracle Linux 7.
      distribution: { id: 'ol', version_id: '7.9', id_like: 'fedora' },
      architecture: 'x86_64',
      systemd: 219,
      free_mb: { '/opt': 100_000 },
      clock_synchronized: true,
      secure_boot: false,
      tools: ['gcc', 'make', 'dkms'],
      module: { headers: true },
      package: { format: null, version: null, releases: [], formats: ['rpm'] },
    };
    const variables = JSON.stringify({ ktc_agent_host: facts, ktc_agent_module: 'dkms' });
    const refused = await site.play('install', '--check', '--limit', 'web1', '-e', variables);
    expect(refused.code, refused.output).toBe(2);
    expect(refused.output).toContain('(dkms#443)');
  });

  it('warns of keys that the installed release does not know, before an upgrade', async () => {
    const sound = site.groupVariables['web'];
    site.groupVariables['web'] = { ktc_agent_config__web: { batch: { of_the_next_release: 1 } } };
    const predicted = await site.play(
      'install',
      '--check',
      '--limit',
      'web1',
      '-e',
      `ktc_agent_version=${NEXT}`,
    );
    site.groupVariables['web'] = sound ?? {};
    expect(predicted.code, predicted.output).toBe(0);
    // Ansible breaks the lines of warnings.
    expect(predicted.output.replace(/\s+/g, ' ')).toContain(
      'the release that is installed now does not know a key: ktc_agent_config__web of group web: batch.of_the_next_release: unknown key',
    );
  });

  it('leaves what the operator has stopped, disabled and masked so, also through an upgrade', async () => {
    await site.hosts.run('web1', 'systemctl stop ktc-agent');
    await site.hosts.run('web2', 'systemctl disable ktc-agent');
    await site.hosts.run('db1', 'systemctl stop ktc-agent; systemctl mask ktc-agent');
    // Older releases, of which one runs; one that was begun by hand; and SELinux's program, in so far as it is asked here.
    const releases = '/opt/ktc-agent/releases';
    await site.hosts.run(
      'db2',
      `for version in 0.0.1 0.0.2 0.0.3; do install -D /bin/sleep ${releases}/$version/bin/ktc; done
       systemd-run --quiet --unit old ${releases}/0.0.1/bin/ktc 600
       mkdir -p ${releases}/${NEXT}/lib
       printf '#!/bin/sh\necho "$*" >>/root/restored\n' >/usr/local/sbin/restorecon; chmod +x /usr/local/sbin/restorecon`,
    );
    const upgraded = await site.play('install', '-e', `ktc_agent_version=${NEXT}`);
    expect(upgraded.code, upgraded.output).toBe(0);
    expect(await Promise.all(NAMES.map(stateOf))).toEqual([
      'inactive\nenabled',
      'active\ndisabled',
      'inactive\nmasked',
      'active\nenabled',
    ]);
    for (const name of NAMES) expect(await site.hosts.run(name, 'ktc --version')).toContain(NEXT);
    await untilRuns(site.hosts, 'db2', NEXT);
    const left = await site.hosts.run(
      'db2',
      `ls ${releases} | sort -V; cat /root/restored; systemctl stop old; rm /root/restored /usr/local/sbin/restorecon`,
    );
    expect(left.trim().split('\n')).toEqual(['0.0.1', '0.0.3', VERSION, NEXT, `-R ${releases}/${NEXT}`]);
  });

  it('goes back to the release and the configuration before, by one playbook', async () => {
    await site.hosts.run('web1', 'systemctl start ktc-agent');
    await site.hosts.run('web2', 'systemctl enable ktc-agent');
    await site.hosts.run('db1', 'systemctl unmask ktc-agent; systemctl start ktc-agent');
    const back = await site.play('rollback');
    expect(back.code, back.output).toBe(0);
    for (const name of NAMES) await untilRuns(site.hosts, name, VERSION);
    // Else the next upgrade would find it there, and keep no newer one.
    await site.hosts.run('web1', `test ! -e /etc/ktc/.kept/${VERSION}`);
    // Whoever runs it again does not mean the hosts to go forward.
    const twice = await site.play('rollback', '--limit', 'web2');
    expect(twice.changed, twice.output).toEqual({ web2: 0 });
    const again = await site.play('install', '--limit', 'web');
    expect(again.changed, again.output).toEqual({ web1: 0, web2: 0 });
  });

  it('writes secrets for the agent only, and shows them nowhere, not in a run that fails either', async () => {
    const words = ['-vvv', '--diff', '--limit', 'db2'];
    const variables = site.hostVariables['db2'] ?? {};
    variables['ktc_agent_kafka_password'] = `${SECRET}-1`;
    const checked = await site.play('install', ...words, '--check');
    await site.hosts.run(
      'db2',
      `install -D -m 0600 -o ktc /dev/stdin /etc/ktc/secrets/kafka.password <<<'${SECRET}-1'`,
    );
    variables['ktc_agent_kafka_password'] = `${SECRET}-2`;
    const changed = await site.play('install', ...words);
    variables['ktc_agent_kafka_password'] = `${SECRET}-3`;
    const failed = await site.play('install', ...words, '-e', 'ktc_agent_user=nobody-here');
    for (const { output } of [checked, changed, failed]) expect(output).not.toContain(SECRET);
    expect(failed.code).toBe(2);
    expect(await site.hosts.run('db2', 'cat /etc/ktc/secrets/kafka.password')).toBe(`${SECRET}-2`);
    expect(await site.hosts.run('db2', 'stat -c "%a %U %G" /etc/ktc/secrets/kafka.password')).toBe(
      '600 ktc ktc\n',
    );
    expect(await site.hosts.run('db2', 'journalctl --no-pager')).not.toContain(SECRET);

    delete variables['ktc_agent_kafka_password'];
  });

  it('uninstalls without a trace, also a compressed module, and what DKMS has for another kernel only', async () => {
    const updates = '/lib/modules/$(uname -r)/updates';
    await site.hosts.run('db1', `mkdir -p ${updates}; touch ${updates}/tcp_trace.ko.xz`);
    // DKMS itself would need compilers on the host; of it stands here what it is asked, and its one line of status.
    await site.hosts.run(
      'db2',
      `echo 'tcp_trace/1.0.0, 5.10.0-1-amd64, x86_64: installed' >/root/dkms-status
       printf '%s\n' '#!/bin/sh' '[ "$1" != status ] || exec cat /root/dkms-status' \
         'echo "$*" >>/root/dkms-said; rm /root/dkms-status' >/usr/local/bin/dkms
       chmod +x /usr/local/bin/dkms`,
    );
    const removed = await site.play('uninstall');
    expect(removed.code, removed.output).toBe(0);
    expect(await site.hosts.run('db1', `find /lib/modules -name 'updates*'; rm -r /lib/modules`)).toBe('');
    expect(await site.hosts.run('db2', 'cat /root/dkms-said; rm /root/dkms-said /usr/local/bin/dkms')).toBe(
      'remove tcp_trace/1.0.0 --all\n',
    );
    expect(await inventories()).toEqual(before);
    for (const name of NAMES)
      expect(existsSync(`/sys/kernel/tracing/instances/${site.hosts.instance(name)}`)).toBe(false);
    expect((await site.play('uninstall', '--limit', 'web1')).changed).toEqual({ web1: 0 });
  });
});
