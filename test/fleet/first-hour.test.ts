/** docs/fleet.md: every console block, in its order, as it stands there, from an empty controller to hosts without a trace. */
import { spawn } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Hosts, startHosts } from '../support/hosts.ts';
import { type Broker, startBroker, whyNoKafka } from '../support/kafka.ts';
import { buildPackages } from '../support/packages.ts';
import { endOf, PROGRAMS, traceOnly, whyNoSite } from '../support/site.ts';

const missing = whyNoSite() ?? whyNoKafka();
if (missing) console.warn(`skipped: the first hour: ${missing}`);

const ROOT = join(import.meta.dirname, '../..');
const NAMES = ['web1.example.net', 'web2.example.net', 'db1.example.net'];
const NEXT = '0.2.0';

/** The commands of each block. */
const BLOCKS = [
  ...readFileSync(join(ROOT, 'docs/fleet.md'), 'utf8').matchAll(/^```console\n(.*?)^```$/gms),
].map(([, block = '']) =>
  block.split('\n').flatMap((line) => (line.startsWith('$ ') ? [line.slice(2)] : [])),
);

describe.skipIf(missing)('docs/fleet.md', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-first-hour-'));
  const checkout = join(directory, 'checkout');
  let hosts: Hosts;
  let broker: Broker;

  /** Runs the commands of a block, each to its end. Gives what each has printed. */
  async function run(commands: readonly string[] = []): Promise<string[]> {
    expect(commands.length).toBeGreaterThan(0);
    const printed: string[] = [];
    for (const command of commands) {
      // The names of the brokers are known to these commands only.
      const script = 'mount --bind "$0" /etc/hosts; exec bash -euo pipefail -c "$1"';
      const words = [
        '--mount',
        '--propagation',
        'private',
        'sh',
        '-ec',
        script,
        join(directory, 'hosts'),
        command,
      ];
      const child = spawn('unshare', words, {
        cwd: checkout,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          ...process.env,
          PATH: `${PROGRAMS}:${process.env['PATH']}`,
          HOME: join(directory, 'home'),
          KTC_PACKAGE_LEVEL: '0',
          ANSIBLE_NOCOLOR: 'true',
          ANSIBLE_PIPELINING: 'true',
        },
      });
      const { code, output } = await endOf(child);
      expect(code, `${command}\n${output}`).toBe(0);
      printed.push(output);
    }
    return printed;
  }

  const onEach = (script: string) => Promise.all(NAMES.map((name) => hosts.run(name, script)));

  beforeAll(async () => {
    hosts = await startHosts(
      NAMES.map((name, index) => ({ name, suite: index === 1 ? 'bookworm' : 'bullseye' })),
    );
    broker = await startBroker({ host: hosts.address, port: 9092 });
    await broker.createTopic('ktc-events', 3);
    const brokers = ['1', '2', '3']
      .map((number) => `${hosts.address} kafka-${number}.example.net\n`)
      .join('');
    await onEach(`cat >> /etc/hosts <<'END'\n${brokers}END`);
    writeFileSync(join(directory, 'hosts'), `127.0.0.1 localhost\n${brokers}`);

    // A checkout of its own, which these commands write into.
    mkdirSync(checkout);
    mkdirSync(join(directory, 'home'));
    const own = ['dist', 'inventory.yml', 'site.yml'];
    for (const name of readdirSync(ROOT).filter((entry) => !own.includes(entry)))
      symlinkSync(join(ROOT, name), join(checkout, name));
    // What these hosts need and others do not: a way to them, and a kernel that they share.
    mkdirSync(join(checkout, 'group_vars'));
    mkdirSync(join(checkout, 'host_vars'));
    const groupVariables = {
      ktc_agent_require_clock_sync: false,
      ktc_agent_rollout_soak_s: 1,
      ktc_agent_config__ktc_agents: {
        source: { ...traceOnly(9092), instance: '{{ test_instance }}' },
      },
    };
    writeFileSync(join(checkout, 'group_vars/ktc_agents.yml'), JSON.stringify(groupVariables));
    for (const [index, name] of NAMES.entries()) {
      const variables = {
        ...hosts.variables(name),
        ansible_python_interpreter: index === 1 ? '/usr/bin/python3' : '/usr/bin/python2.7',
        test_instance: hosts.instance(name),
      };
      writeFileSync(join(checkout, `host_vars/${name}.yml`), JSON.stringify(variables));
    }
  });
  afterAll(async () => {
    await broker?.stop();
    await hosts?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it('has the blocks that are run here, and no other', () => expect(BLOCKS.length).toBe(6));

  it('leads from an empty controller to the events of three hosts in Kafka', async () => {
    const printed = await run(BLOCKS[0]);
    const counted = printed.at(-1) ?? '';
    for (const name of NAMES) expect(counted).toMatch(new RegExp(`^ *\\d+ ${name}$`, 'm'));
    expect(printed.at(-2)).toMatch(/"web2\.example\.net +active +0\.1\.0 /);
    const labels = (await broker.consume('ktc-events')).map(
      (line) => (JSON.parse(line) as { labels: { role: string } }).labels.role,
    );
    expect([...new Set(labels)].sort()).toEqual(['database', 'web']);
  });

  it('shows the fleet, upgrades it, and goes back', async () => {
    await run(BLOCKS[1]);
    expect(readFileSync(join(checkout, 'fleet.csv'), 'utf8').split('\r\n')).toHaveLength(NAMES.length + 2);
    const built = buildPackages(['tarball'], { version: NEXT });
    try {
      const [file = ''] = readdirSync(built).filter((name) => name.endsWith('.tar.gz'));
      symlinkSync(join(built, file), join(checkout, 'dist', file));
      await run(BLOCKS[2]);
    } finally {
      rmSync(built, { recursive: true });
    }
    expect(await onEach('ktc --version')).toEqual(NAMES.map(() => `${NEXT}\n`));
    await run(BLOCKS[3]);
    expect(await onEach('ktc --version')).toEqual(NAMES.map(() => '0.1.0\n'));
  });

  it('lessens what all hosts send, and takes that back', async () => {
    const limit = 'ktc config show --json | grep -A1 events_per_second.tcp_state || true';
    const [lessen = '', restore = ''] = BLOCKS[4] ?? [];
    await run([`! ${lessen.replace(':10', ':ten')}`]);
    for (const shown of await onEach(limit)) expect(shown).not.toContain('98-incident.json');
    await run([lessen]);
    for (const shown of await onEach(limit)) expect(shown).toContain('98-incident.json');
    expect(
      await onEach('journalctl --unit ktc-agent --output cat --no-pager | grep -c "was reloaded"'),
    ).toEqual(NAMES.map(() => '1\n'));
    await run([restore]);
    for (const shown of await onEach(limit)) expect(shown).not.toContain('98-incident.json');
  });

  it('removes all of it', async () => {
    await run(BLOCKS[5]);
    expect(await onEach('ls -d /opt/ktc-agent /etc/ktc /usr/bin/ktc 2>/dev/null || true')).toEqual(
      NAMES.map(() => ''),
    );
  });
});
