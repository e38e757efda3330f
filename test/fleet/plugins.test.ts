/** What the collection computes on the controller: the order of layers, and the verdict over a wave. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
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
import { PROGRAMS } from '../support/site.ts';

const missing = existsSync(join(PROGRAMS, 'python3'))
  ? null
  : 'no Ansible: run scripts/install-test-dependencies.sh';
if (missing) console.warn(`skipped: plugins of the collection: ${missing}`);

const ROOT = join(import.meta.dirname, '../..');
const PLUGINS = 'ansible_collections.ktc.agent.plugins';

describe.skipIf(missing)('the collection', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-plugins-'));
  beforeAll(() => {
    mkdirSync(join(directory, 'ansible_collections/ktc'), { recursive: true });
    symlinkSync(join(ROOT, 'ansible'), join(directory, 'ansible_collections/ktc/agent'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  /** The value of a Python expression, with `given` as its `given`. */
  function evaluate(imports: string, expression: string, given: unknown): unknown {
    const script = `import json, sys\n${imports}\ngiven = json.load(sys.stdin)\nprint(json.dumps(${expression}))`;
    const output = execFileSync(join(PROGRAMS, 'python3'), ['-c', script], {
      input: JSON.stringify(given),
      encoding: 'utf8',
      env: { ...process.env, PYTHONPATH: directory, PYTHONDONTWRITEBYTECODE: '1' },
    });
    return JSON.parse(output);
  }

  /** What a program of Ansible prints that finds the collection in `collections`. */
  function runWith(collections: string, program: string, ...words: string[]): string {
    return execFileSync(join(PROGRAMS, program), words, {
      cwd: directory,
      encoding: 'utf8',
      stdio: 'pipe',
      env: {
        ...process.env,
        PATH: `${PROGRAMS}:${process.env['PATH']}`,
        ANSIBLE_HOME: join(directory, 'home'),
        ANSIBLE_COLLECTIONS_PATH: collections,
      },
    });
  }

  it('can be built, installed from the file, and asked for the documentation of all that it has', () => {
    const run = (program: string, ...words: string[]) =>
      runWith(join(directory, 'installed'), program, ...words);
    run('ansible-galaxy', 'collection', 'build', join(ROOT, 'ansible'), '--output-path', directory);
    const file = join(directory, 'ktc-agent-0.1.0.tar.gz');
    run('ansible-galaxy', 'collection', 'install', file, '--offline', '-p', join(directory, 'installed'));
    const names = readdirSync(join(ROOT, 'ansible/plugins/modules')).map((name) => name.replace('.py', ''));
    expect(names.length).toBeGreaterThan(8);
    for (const name of names)
      expect(run('ansible-doc', `ktc.agent.${name}`)).toContain(`ktc.agent.${name}`.toUpperCase());
    expect(run('ansible-doc', '--type', 'role', 'ktc.agent.ktc_agent')).toContain('ktc_agent_rollout_soak_s');
  });

  it('has all of its modules in the group that takes defaults for all of them (module_defaults)', () => {
    const runtime = join(ROOT, 'ansible/meta/runtime.yml');
    const grouped = evaluate('import yaml', "yaml.safe_load(open(given))['action_groups']['ktc']", runtime);
    const names = readdirSync(join(ROOT, 'ansible/plugins/modules')).map((name) => name.replace('.py', ''));
    expect((grouped as string[]).toSorted()).toEqual(names.toSorted());
  });

  it('orders the layers of a host as Ansible merges its groups, and numbers them by the group alone', () => {
    const groups = [
      { name: 'web', depth: 2, priority: 1 },
      { name: 'eu', depth: 1, priority: 1 },
      { name: 'web-db', depth: 2, priority: 1 },
      { name: 'site', depth: 1, priority: 5 },
      { name: 'asia', depth: 3, priority: 0 },
      { name: 'all', depth: 0, priority: 1 },
    ];
    const imports = `from collections import namedtuple
from ansible.inventory.helpers import sort_groups
from ${PLUGINS}.module_utils import layers
Group = namedtuple('Group', 'name depth priority')
def both(groups):
    variables = ['ktc_agent_config__' + layers.variable_name(g['name']) for g in groups] + ['ktc_agent_config__host']
    arranged = layers.arrange(variables, [(g['name'], g['depth'], g['priority']) for g in groups])
    return [[layer['group'] for layer in arranged], [g.name for g in sort_groups([Group(**g) for g in groups])],
            [layer['file'] for layer in arranged]]`;
    const [ours, theirs, files] = evaluate(imports, 'both(given)', groups) as [string[], string[], string[]];
    expect(ours).toEqual([...theirs, 'host']);
    expect(files).toEqual([
      '00-all.json',
      '11-eu.json',
      '15-site.json',
      '21-web.json',
      '21-web_db.json',
      '30-asia.json',
      '99-host.json',
    ]);
    const [, , fewer] = evaluate(imports, 'both(given)', groups.slice(0, 1)) as [
      string[],
      string[],
      string[],
    ];
    expect(fewer).toEqual(['21-web.json', '99-host.json']);
  });

  it('finds the addresses of the sinks in the layers, as the agent lays them over one another', () => {
    const contents = [
      {
        sink: {
          kafka: { enabled: true, brokers: ['old:1'] },
          otlp: { enabled: true, endpoint: 'https://otel/v1' },
        },
      },
      { sink: { kafka: { brokers: ['kafka-1.example.net', 'kafka-2:9093', '[2001:db8::1]:9094'] } } },
      { sink: { otlp: { endpoint: 'http://[2001:db8::2]:4318/v1/logs' } } },
    ];
    const found = evaluate(
      `from ${PLUGINS}.module_utils.layers import endpoints, merged`,
      '[endpoints(merged(given[:1])), endpoints(merged(given)), endpoints(merged([]))]',
      contents,
    );
    expect(found).toEqual([
      { kafka: [['old', 1]], otlp: [['otel', 443]] },
      {
        kafka: [
          ['kafka-1.example.net', 9092],
          ['kafka-2', 9093],
          ['2001:db8::1', 9094],
        ],
        otlp: [['2001:db8::2', 4318]],
      },
      {},
    ]);
  });

  it('reads on the controller which kernel a module was built for, and knows which kernel is the newer one', () => {
    const file = join(directory, 'tcp_trace.ko');
    writeFileSync(file, 'ELF\0license=GPL\0vermagic=3.10.0-862.el7.x86_64 SMP mod_unload modversions \0');
    writeFileSync(`${file}.none`, 'ELF');
    const vermagic = `from ${PLUGINS}.filter.module_file import vermagic`;
    expect(evaluate(vermagic, '[vermagic(path) for path in given]', [file, `${file}.none`])).toEqual([
      '3.10.0-862.el7.x86_64',
      '',
    ]);
    const kernels = ['3.10.0-957.el7.x86_64', '3.10.0-862.14.4.el7.x86_64', '3.10.0-1160.el7.x86_64'];
    const sorted = evaluate(
      `from ${PLUGINS}.modules.host_facts import sort_key`,
      'sorted(given, key=sort_key)',
      [...kernels, '3.10.0-862.el7.x86_64', '6.1.0-56-cloud-amd64'],
    );
    expect(sorted).toEqual([
      '3.10.0-862.el7.x86_64',
      '3.10.0-862.14.4.el7.x86_64',
      '3.10.0-957.el7.x86_64',
      '3.10.0-1160.el7.x86_64',
      '6.1.0-56-cloud-amd64',
    ]);
  });

  it('finds events in the topic beside what is none, in one reading or several, and judges each once', () => {
    const event = (host: string, config_hash: string) => ({
      event: 'host_status',
      event_id: `${host}-0-1`,
      agent_version: '1',
      config_hash,
    });
    const line = (value: object) => `${JSON.stringify(value)}\n`;
    const { agent_version, ...incomplete } = event('web3', 'ab');
    const spoilt = [
      '{"event":"host_status", "event_\n',
      '["event":"host_status"]\n',
      '{"event":"host_status"}\n',
    ];
    writeFileSync(
      join(directory, 'topic-1'),
      Buffer.concat([
        Buffer.from(spoilt.join('')),
        Buffer.from([0x22, 0xff, 0xfe, 0x0a]),
        Buffer.from([event('web1', 'ab'), event('web2', 'cd'), incomplete].map(line).join('')),
      ]),
    );
    writeFileSync(join(directory, 'topic-2'), line(event('web4', 'ab')));
    // Each reading takes the next file; a third one would have none.
    const reader = 'cat topic-1 && mv topic-2 topic-1 || exit 3';
    const expected = Object.fromEntries(
      ['web1', 'web2', 'web3', 'web4'].map((host) => [
        host,
        { event_id: `${host}-0-1`, since_ms: 0, version: agent_version, config_hash: 'ab' },
      ]),
    );
    const output = runWith(
      directory,
      'ansible',
      ...['localhost', '-m', 'ktc.agent.arrived', '-a'],
      JSON.stringify({ command: ['sh', '-c', reader], expected, deadline_s: 60 }),
    );
    expect(JSON.parse(output.slice(output.indexOf('{')))).toEqual({
      changed: false,
      problem: null,
      missing: {
        web2: 'its host_status has arrived with config_hash cd, not ab',
        web3: 'its host_status has arrived with agent_version None, not 1',
      },
    });
  });

  it('notes once which accounts the installation makes, also where an earlier one was interrupted', () => {
    const file = join(directory, 'made');
    const imports = `from ${PLUGINS}.module_utils import footprint
class Module:
    def run_command(self, words):
        return 0, 'LoadState=loaded', ''
def note(path):
    footprint.MADE = path
    for user in ['nobody-here', 'nobody-here', 'nor-here']:
        footprint.note_before_installation(Module(), user)`;
    evaluate(imports, 'note(given)', file);
    expect(readFileSync(file, 'utf8').trim().split('\n')).toEqual([
      'group nobody-here',
      'user nobody-here',
      'group nor-here',
      'user nor-here',
    ]);
  });

  it('names variables of the role that would have no effect, and what was probably meant', () => {
    const names = [
      ...['ktc_agent_version', 'ktc_agent_config__wbe', 'ktc_agent_rollout_waves', 'ktc_agent_wave_hosts'],
      ...['ktc_agent_verison', 'ktc_agent_config_web', 'ktc_agent_quite_another'],
    ];
    const found = evaluate(
      `from ${PLUGINS}.filter.variables import unknown_variables`,
      "unknown_variables(given['names'], given['role'])",
      { names, role: join(ROOT, 'ansible/roles/ktc_agent') },
    );
    expect(found).toEqual([
      'ktc_agent_config_web (ktc_agent_config__web is meant?)',
      'ktc_agent_quite_another',
      'ktc_agent_verison (ktc_agent_version is meant?)',
    ]);
  });

  it('names live patches, of either kind, and kprobes on functions of TCP', () => {
    const root = join(directory, 'kernel');
    for (const patch of ['livepatch/kpatch_4711', 'kpatch/kpatch_4711', 'kpatch/patches/older']) {
      mkdirSync(join(root, patch), { recursive: true });
      writeFileSync(join(root, patch, 'enabled'), '1\n');
    }
    mkdirSync(join(root, 'debug/kprobes'), { recursive: true });
    const list = ['k  tcp_sendmsg+0x0    [FTRACE]', 'r  tcp_close+0x0', 'k  vfs_read+0x0    [DISABLED]'];
    writeFileSync(
      join(root, 'debug/kprobes/list'),
      list.map((line) => `ffffffff8163e0a0  ${line}\n`).join(''),
    );
    const imports = `from ${PLUGINS}.modules.host_facts import other_hooks`;
    expect(evaluate(imports, 'other_hooks(given)', root)).toEqual([
      ...['the live patch kpatch_4711', 'the live patch older'],
      ...['a kprobe on tcp_close', 'a kprobe on tcp_sendmsg'],
    ]);
    expect(evaluate(imports, 'other_hooks(given)', join(directory, 'nothing'))).toEqual([]);
  });

  it('knows which version of the agent is the newer one', () => {
    const pairs = [
      ['0.10.0', '0.9.0'],
      ['1.0.0', '1.0.0-rc.1'],
      ['1.0.1', '1.0'],
    ];
    const found = evaluate(
      `from ${PLUGINS}.test.version import newer_than`,
      '[[newer_than(one, other), newer_than(other, one), newer_than(one, one)] for one, other in given]',
      pairs,
    );
    expect(found).toEqual(pairs.map(() => [true, false, false]));
  });

  it('exchanges the configuration as a whole also where the kernel cannot, and completes an interrupted exchange', () => {
    const paths = ['new/conf.d', 'etc/conf.d'].map((path) => join(directory, path));
    for (const [index, path] of paths.entries()) {
      mkdirSync(path, { recursive: true });
      writeFileSync(join(path, 'name'), String(index));
    }
    const imports = `import os
from ${PLUGINS}.modules import config_layers
def exchange(new, old, number, renames):
    config_layers.RENAMEAT2 = number or config_layers.RENAMEAT2
    rename, done = os.rename, []
    def counted(source, target):
        if len(done) == renames:
            raise KeyboardInterrupt
        done.append(source)
        rename(source, target)
    config_layers.os.rename = counted
    try:
        config_layers.exchange(new, old)
    except KeyboardInterrupt:
        pass
    config_layers.os.rename = rename
    config_layers.DIRECTORY, config_layers.STAGE = old, os.path.dirname(new)
    config_layers.recover()
    return [len(done)] + [open(path + '/name').read() for path in (new, old) if os.path.isdir(path)]`;
    const exchange = (number: number, renames: number) =>
      evaluate(imports, 'exchange(*given)', [...paths, number, renames]);
    // A system call that no kernel has, as renameat2 is for 3.10.
    const none = 100_000;
    expect(exchange(0, 0)).toEqual([0, '1', '0']);
    expect(exchange(none, 3)).toEqual([3, '0', '1']);
    expect(exchange(none, 1)).toEqual([1, '0', '1']);
    expect(exchange(none, 2)).toEqual([2, '0']);
  });

  it('takes an agent for well only if /readyz says so, its disk takes events, and trouble during the soak goes', () => {
    const imports = `import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from ${PLUGINS}.module_utils import agent
from ${PLUGINS}.modules import gate
class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503)
        self.end_headers()
        self.wfile.write(json.dumps({'reasons': ['source is disturbed']} if self.path == '/readyz' else {}).encode())
    def log_message(self, *words):
        pass
server = HTTPServer(('127.0.0.1', 0), Answer)
threading.Thread(target=server.serve_forever, daemon=True).start()
def reasons():
    snapshot = {'spool': {'problem': 'ENOSPC'}, 'imbalances': ['read']}
    first, *rest = agent.unreadiness(snapshot, '127.0.0.1:1')
    return [first[:36]] + rest + agent.unreadiness(snapshot, '127.0.0.1:%d' % server.server_port)[:1]
def seen(pid='1', uptime_s=1, lost=0, dropped=0):
    sinks = {'kafka': {'rejected': {}, 'dropped': {'spool_full': dropped}}}
    return {'pid': pid, 'uptime_s': uptime_s, 'ledger': {'lost': {'crash': lost}, 'sinks': sinks}}
def soak(troubles, deadline_s, later=seen()):
    gate.PAUSE_S = 0
    gate.look = lambda module, version: (later, [], troubles.pop(0) if troubles else [])
    return gate.soak(None, None, seen(), 0, deadline_s)
def absent():
    gate.agent.unit_state = lambda module, unit: {'LoadState': 'not-found', 'ActiveState': 'inactive'}
    return gate.verdict(None, None, 0, 0)['verdict']`;
    const [reasons, blip, lasting, others, absent] = evaluate(
      imports,
      `[reasons(), soak([['sink away']], 60), soak([['sink away']] * 100000, 0),
        [soak([], 0, later)[0] for later in (seen(pid='2'), seen(uptime_s=0), seen(lost=2), seen(dropped=3))], absent()]`,
      null,
    ) as [string[], unknown, unknown, unknown, string];
    expect(reasons).toEqual([
      'no answer from http://127.0.0.1:1/re',
      'the disk takes no events: ENOSPC',
      'the account does not balance: read',
      'source is disturbed',
    ]);
    expect(blip).toEqual([[], []]);
    expect(lasting).toEqual([[], ['sink away']]);
    expect(others).toEqual([
      ['the agent has started again during the soak'],
      ['the agent has started again during the soak'],
      ['2 records were lost during the soak'],
      ['3 events were dropped or refused during the soak'],
    ]);
    expect(absent).toBe('sick');
  });

  const answer = (verdict: string) => ({ gate: { verdict, reasons: verdict === 'well' ? [] : [verdict] } });
  const arrived = { missing: {}, problem: null };
  it.each([
    { wave: [answer('well'), answer('off')], baseline: [], verdict: 'pass' },
    { wave: [answer('well'), answer('off')], arrival: arrived, verdict: 'pass' },
    {
      wave: [answer('well'), answer('well')],
      arrival: { missing: { host1: 'no' }, problem: null },
      verdict: 'fail',
    },
    {
      wave: [answer('well'), answer('well')],
      arrival: { missing: {}, problem: 'no route' },
      verdict: 'pause',
    },
    {
      wave: [answer('sick'), answer('well')],
      arrival: { missing: {}, problem: 'no route' },
      verdict: 'fail',
    },
    { wave: [answer('well'), answer('sick')], baseline: [answer('well')], verdict: 'fail' },
    { wave: [answer('well'), { unreachable: true }], baseline: [], verdict: 'fail' },
    { wave: [answer('well'), { failed: true, msg: 'a bug' }], baseline: [], verdict: 'fail' },
    { wave: [answer('well'), { skipped: true }], baseline: [], verdict: 'fail' },
    { wave: [answer('sink_ill'), answer('well')], baseline: [answer('well')], verdict: 'fail' },
    {
      wave: [answer('sink_ill'), answer('well')],
      baseline: [answer('well'), answer('sink_ill')],
      verdict: 'pause',
    },
    { wave: [answer('sink_ill'), answer('sick')], baseline: [answer('sink_ill')], verdict: 'fail' },
    { wave: [answer('sink_ill')], baseline: [], verdict: 'pause' },
    { wave: [answer('sink_ill')], baseline: [answer('off'), answer('sick')], verdict: 'pause' },
    { wave: [answer('off')], canary: true, verdict: 'pause' },
    { wave: [answer('off'), answer('well')], canary: true, verdict: 'pass' },
    { wave: [{ skipped: true }, answer('well')], refused: ['host0'], verdict: 'pause' },
    { wave: [{ skipped: true }, answer('sick')], refused: ['host0'], verdict: 'fail' },
  ])(
    'judges $wave beside $baseline, of which $arrival is read and $refused could not have the agent, as $verdict',
    ({ wave, baseline = [], arrival = {}, refused = [], canary = false, verdict }) => {
      const results = Object.fromEntries(wave.map((result, index) => [`host${index}`, result]));
      const judged = evaluate(
        `from ${PLUGINS}.filter.rollout import judge`,
        "judge(given['results'], given['failures'], given['baseline'], given['arrival'], given['refused'], given['canary'])",
        {
          results,
          failures: Object.fromEntries(refused.map((host) => [host, 'no space'])),
          baseline,
          arrival,
          refused,
          canary,
        },
      ) as { verdict: string; reasons: string[] };
      expect(judged.verdict).toBe(verdict);
      expect(judged.reasons.length > 0).toBe(verdict !== 'pass');
    },
  );

  it('lists hosts that differ from most first, and says in what', () => {
    const facts = (version: string) => ({
      kernel: '3.10.0',
      unit: { ActiveState: 'active', LoadState: 'loaded' },
      package: { version },
      module: { loaded: true, installed: true, missing_for: version === '2' ? ['3.10.1'] : [] },
      running: {
        version,
        uptime_s: 10,
        source: { kind: 'module' },
        spool: { bytes: 0 },
        host_status: { config_hash: 'ab' },
        ledger: { emitted: 50, lost: version === '2' ? { kernel_overrun: 3 } : {} },
      },
    });
    const rows = evaluate(`from ${PLUGINS}.filter.fleet import fleet_rows`, 'fleet_rows(given)', {
      a: facts('1'),
      b: facts('1'),
      c: facts('2'),
      d: null,
    }) as Record<string, unknown>[];
    expect(rows.map(({ host, differs }) => [host, differs])).toEqual([
      ['c', 'version lost module'],
      ['d', 'state version kernel source'],
      ['a', ''],
      ['b', ''],
    ]);
    expect(rows[0]).toMatchObject({
      events_s: 5,
      lost: 'kernel_overrun=3',
      module: 'loaded, none for 3.10.1',
    });
  });
});
