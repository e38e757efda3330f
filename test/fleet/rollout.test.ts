/** The roll-out: every way in which a wave can fail stops it, with the later waves untouched. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { untilRuns } from '../support/hosts.ts';
import { type Broker, startBroker, whyNoKafka } from '../support/kafka.ts';
import { NEXT, VERSION } from '../support/packages.ts';
import { gateReader, openSite, type Site, traceOnly, whyNoSite } from '../support/site.ts';
import { until } from '../support/wait.ts';

const missing = whyNoSite() ?? whyNoKafka();
if (missing) console.warn(`skipped: the roll-out: ${missing}`);

const TOPIC = 'ktc-events';
const NAMES = ['canary1', 'web1', 'web2', 'web3'];
const TO_NEXT = ['-e', `ktc_agent_version=${NEXT}`, '-e', '{"ktc_agent_rollout_waves": [1, 2]}'];

/** For a gate that waits in vain: how long it does. */
const giveUpAfter = (seconds: number) => ['-e', `{"ktc_agent_rollout_deadline_s": ${seconds}}`];

/** For a gate that is to fail for what comes after it: on a busy machine, an agent has acknowledged its host_status by then. */
const TIME_TO_ACKNOWLEDGE_S = 45;

/** Keeps the wave of this host in its gate for longer than any test takes. */
const soakOn = (name: string) => [
  '-e',
  JSON.stringify({ ktc_agent_rollout_soak_s: `{{ 600 if inventory_hostname == '${name}' else 1 }}` }),
];

describe.skipIf(missing)('a roll-out', () => {
  let site: Site;
  let broker: Broker;

  const versions = () =>
    Promise.all(
      NAMES.map(async (name) => (await site.hosts.run(name, 'readlink /opt/ktc-agent/current')).trim()),
    );
  const isDelivering = async (name: string) =>
    (await site.hosts.attempt(name, 'ktc status --json')).stdout.includes('"state": "ready"');
  const running = async (name: string) =>
    (JSON.parse(await site.hosts.run(name, 'ktc status --json || true')) as { version: string }).version;
  const at = (version: string) => `releases/${version}`;
  const forget = () => rmSync(site.state, { recursive: true, force: true });

  beforeAll(async () => {
    site = await openSite({
      versions: [VERSION, NEXT],
      hosts: [
        { name: 'canary1', suite: 'bookworm', groups: ['canary'] },
        { name: 'web1', suite: 'bullseye', groups: ['web'] },
        { name: 'web2', suite: 'bookworm', groups: ['web'] },
        { name: 'web3', suite: 'bullseye', groups: ['web'] },
      ],
    });
    broker = await startBroker({ host: site.hosts.address });
    await broker.createTopic(TOPIC, 1);
    await broker.createTopic('elsewhere', 1);
    Object.assign(site.groupVariables['all'] ?? {}, {
      ktc_agent_version: VERSION,
      ktc_agent_rollout_soak_s: 1,
      ktc_agent_gate_reader: gateReader(broker.address, TOPIC),
      ktc_agent_config__all: {
        source: traceOnly(1),
        sink: { kafka: { enabled: true, brokers: [broker.address], topic: TOPIC } },
      },
    });
    const installed = await site.play('install');
    expect(installed.code, installed.output).toBe(0);
  });
  afterEach(async () => {
    forget();
    for (const name of NAMES)
      await site.hosts.run(name, 'rm -f /etc/systemd/system/ktc-agent.service.d/broken.conf');
  });
  afterAll(async () => {
    await broker?.stop();
    await site?.close();
  });

  it('has a fleet that can be looked at: a table, and a file for programs', async () => {
    const file = join(site.state, '../fleet.csv');
    const shown = await site.play('status', '-e', `ktc_status_file=${file}`);
    expect(shown.code, shown.output).toBe(0);
    expect(shown.output).toMatch(/host +state +version +kernel/);
    const rows = readFileSync(file, 'utf8').trim().split('\r\n').slice(1);
    expect(rows.length).toBe(NAMES.length);
    for (const [index, row] of rows.entries())
      expect(row).toMatch(new RegExp(`^"${NAMES[index]}","active","${VERSION}",.*,"tracepoints",.*,""$`));
  });

  it('refuses waves without canaries: none in the group, or cut away by --limit', async () => {
    for (const words of [
      ['-e', 'ktc_agent_canary_group=misspelt'],
      ['--limit', 'web'],
    ]) {
      const refused = await site.play('rollout', ...TO_NEXT, ...words);
      expect(refused.code, refused.output).toBe(2);
      expect(refused.output).toContain(`has passed with version ${NEXT}`);
    }
    expect(await versions()).toEqual(NAMES.map(() => at(VERSION)));
  });

  it('refuses to begin where a host could not go back, and changes none of the hosts of the wave', async () => {
    const words = ['-e', 'ktc_agent_canary_group=web', '-e', '{"ktc_agent_way_back": false}'];
    const refused = await site.play('rollout', ...TO_NEXT, ...words);
    expect(refused.code, refused.output).toBe(2);
    expect(refused.output).toContain('has not got the package that is installed on');
    expect(await versions()).toEqual(NAMES.map(() => at(VERSION)));
    expect(existsSync(`${site.state}/passed-${NEXT}.json`)).toBe(false);
  });

  it('stops at canaries that fail, rolls them back, and remembers the version until a person releases it', async () => {
    // The new release cannot run on this host: its program is none, once it is unpacked.
    await site.hosts.run(
      'canary1',
      `mkdir -p /etc/systemd/system/ktc-agent.service.d
       printf '[Service]\\nExecStartPre=/bin/sh -c "! readlink /opt/ktc-agent/current | grep -q ${NEXT}"\\n' \\
         > /etc/systemd/system/ktc-agent.service.d/broken.conf`,
    );
    const failed = await site.play('rollout', ...TO_NEXT);
    expect(failed.code, failed.output).toBe(2);
    expect(failed.output).toContain('The wave failed and was rolled back: canary1');
    expect(await versions()).toEqual(NAMES.map(() => at(VERSION)));
    expect(await running('canary1')).toBe(VERSION);

    const again = await site.play('rollout', ...TO_NEXT);
    expect(again.code).toBe(2);
    expect(again.output).toContain(`Version ${NEXT} has failed before`);
  });

  it('pauses, and blames no version, where a host cannot have it', async () => {
    const paused = await site.play('rollout', ...TO_NEXT, '-e', 'ktc_agent_package=rpm');
    expect(paused.code, paused.output).toBe(2);
    expect(paused.output).toMatch(
      /Paused, nothing was rolled back: canary1: .* The agent was installed here as tarball/,
    );
    expect(existsSync(`${site.state}/failed-${NEXT}.json`)).toBe(false);
    expect(await versions()).toEqual(NAMES.map(() => at(VERSION)));
  });

  it('pauses when the controller cannot read the topic, because nobody knows', async () => {
    const words = [
      '-e',
      JSON.stringify({ ktc_agent_gate_reader: ['sh', '-c', 'echo no route >&2; exit 3'] }),
    ];
    const paused = await site.play('rollout', ...TO_NEXT, ...giveUpAfter(15), ...words);
    expect(paused.code, paused.output).toBe(2);
    expect(paused.output).toContain(
      'Paused, nothing was rolled back: the controller cannot read the topic: sh ended with 3: no route',
    );
    expect(existsSync(`${site.state}/failed-${NEXT}.json`)).toBe(false);
  });

  it('pauses and rolls nothing back when the sink is ill for all', async () => {
    await broker.pause();
    try {
      // Four gates wait, one after the other.
      const paused = await site.play('rollout', ...TO_NEXT, ...giveUpAfter(4));
      expect(paused.code, paused.output).toBe(2);
      expect(paused.output).toContain('Paused, nothing was rolled back: canary1: sink kafka');
    } finally {
      broker.resume();
    }
    // The pause before the next try is longer than a gate waits.
    for (const name of NAMES) await until(() => isDelivering(name), `the sink of ${name}`);
    expect(await versions()).toEqual([at(NEXT), at(VERSION), at(VERSION), at(VERSION)]);
    expect(existsSync(`${site.state}/failed-${NEXT}.json`)).toBe(false);
  });

  it('rolls back what works by its own account, and whose events do not arrive, also after a pause', async () => {
    const sound = site.hostVariables['canary1'] ?? {};
    site.hostVariables['canary1'] = {
      ...sound,
      ktc_agent_config__canary: { sink: { kafka: { topic: 'elsewhere' } } },
    };
    try {
      const failed = await site.play('rollout', ...TO_NEXT, ...giveUpAfter(TIME_TO_ACKNOWLEDGE_S));
      expect(failed.code, failed.output).toBe(2);
      expect(failed.output, failed.output).toMatch(
        /rolled back: canary1: its host_status \S+ was acknowledged, and has not arrived/,
      );
    } finally {
      site.hostVariables['canary1'] = sound;
    }
    expect(await versions()).toEqual(NAMES.map(() => at(VERSION)));
    expect(await running('canary1')).toBe(VERSION);
  });

  it('takes a configuration back that fails within a version, and does not blame the version', async () => {
    const sound = site.hostVariables['canary1'] ?? {};
    site.hostVariables['canary1'] = {
      ...sound,
      ktc_agent_config__canary: { sink: { kafka: { topic: 'elsewhere' } }, batch: { linger_ms: 300 } },
    };
    const configuration = () => site.hosts.run('canary1', 'tail -n +1 /etc/ktc/conf.d/*; ktc config show');
    const before = await configuration();
    try {
      const failed = await site.play('rollout', ...giveUpAfter(TIME_TO_ACKNOWLEDGE_S));
      expect(failed.code, failed.output).toBe(2);
      expect(failed.output, failed.output).toMatch(
        /rolled back: canary1: .* has not arrived \(Not rolled back: none\)/,
      );
    } finally {
      site.hostVariables['canary1'] = sound;
    }
    expect(await configuration()).toBe(before);
    expect(existsSync(`${site.state}/failed-${VERSION}.json`)).toBe(false);
  });

  it('rolls a wave back when one of its hosts dies, names it, and leaves the later waves untouched', async () => {
    const words = ['-e', '{"ktc_agent_rollout_waves": [2, 1]}', ...soakOn('web2')];
    const dying = site.play('rollout', ...TO_NEXT, ...words);
    await untilRuns(site.hosts, 'web2', NEXT);
    await site.hosts.kill('web2');
    const { code, output } = await dying;
    expect(code, output).toBe(2);
    expect(output).toMatch(/The wave failed and was rolled back: web2: .*\(Not rolled back: web2\)/);
    await site.hosts.boot('web2');
    expect(await versions()).toEqual([at(NEXT), at(VERSION), at(NEXT), at(VERSION)]);
    expect(await running('web1')).toBe(VERSION);
  });

  it('goes on where it was stopped, also by the death of its controller, through all waves, beside a dead host', async () => {
    const killed = site.start('rollout', ...TO_NEXT, ...soakOn('web1'));
    await until(async () => (await versions())[1] === at(NEXT), 'the new release on web1');
    const second = await site.play('rollout', ...TO_NEXT);
    expect(second.code, second.output).toBe(2);
    expect(second.output).toMatch(/a roll-out of \w+ runs here as process \d+/);
    killed.kill();
    await killed.done;
    expect((await versions())[3]).toBe(at(VERSION));
    await site.hosts.kill('web2');
    const done = await site.play('rollout', ...TO_NEXT);
    expect(done.code, done.output).toBe(0);
    expect(done.output).toContain('Not reachable, and so not changed: web2"');
    await site.hosts.boot('web2');
    expect(await versions()).toEqual(NAMES.map(() => at(NEXT)));
    expect(await Promise.all(NAMES.map(running))).toEqual(NAMES.map(() => NEXT));
  });
});
