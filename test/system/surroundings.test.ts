/** Where the agent runs: limits, file systems and namespaces in which it works, or says in one line why not. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { TcpEvent } from '../../src/event/tcp-event.ts';
import { hasErrorCode } from '../../src/shared/errors.ts';
import { openKernelSource } from '../../src/source/kernel.ts';
import { mapProbes, PROBE_OFF, TRACEPOINTS } from '../../src/source/probes.ts';
import { asNobody, KTC, type RunningAgent, startAgent, whyNoAgent } from '../support/agent.ts';
import { childrenOf } from '../support/children.ts';
import { handlerOf } from '../support/record-handler.ts';
import { startTool, stopTools } from '../support/tool.ts';
import { INSTANCES, isEnabled } from '../support/tracefs.ts';
import { knock } from '../support/traffic/traffic.ts';
import { until } from '../support/wait.ts';

const missing = whyNoAgent();
if (missing) console.warn(`skipped: where the agent runs: ${missing}`);

/** A port where nobody listens, and to which no other test connects. */
const PORT = 39_077;
const directory = mkdtempSync(join(tmpdir(), 'ktc-where-'));
afterAll(() => rmSync(directory, { recursive: true }));
const INSTANCE = `ktc-where-${process.pid}`;
const PATH = join(directory, 'events.ndjson');

const config = {
  source: {
    kind: 'tracepoints',
    instance: INSTANCE,
    probes: { tcp_set_state: { filter: `dport == ${PORT}` } },
  },
  sink: { file: { enabled: true, path: PATH } },
};

/** Everything that a file without an end has now. */
function readAvailable(fd: number): string {
  const part = Buffer.alloc(65_536);
  let text = '';
  try {
    for (;;) text += part.toString('latin1', 0, readSync(fd, part));
  } catch (error) {
    if (!hasErrorCode(error, 'EAGAIN')) throw error;
    return text;
  }
}

/** Those of `knock`: only one probe has a filter. */
const readEvents = () =>
  existsSync(PATH)
    ? readFileSync(PATH, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as TcpEvent)
        .filter(({ remote_port }) => remote_port === PORT)
    : [];

describe.skipIf(missing)('where the agent cannot run', () => {
  const file = join(directory, 'agent.json');
  writeFileSync(
    file,
    JSON.stringify({ ...config, spool: { enabled: false }, telemetry: { http: { enabled: false } } }),
  );
  const HINT = 'ktc: to see what it prints without root: ktc replay\n';
  const COMMAND = `${KTC} run --config ${file}`;
  const RUN = `exec ${COMMAND}`;
  const inMounts = (change: string) => `exec unshare -m sh -c '${change}; ${RUN}'`;

  it.each([
    ...[20, 24, 28, 32, 40].map((files): [string, string, number, RegExp] => [
      `with ${files} descriptors`,
      `ulimit -n ${files}; ${RUN}`,
      69,
      new RegExp(
        `^ktc: the limit of open files is ${files}, and Node\\.js needs 64: raise it \\(ulimit -n 1024, LimitNOFILE=\\)\n$`,
      ),
    ]),
    ...[64, 80, 100].map((files): [string, string, number, RegExp] => [
      `with ${files} descriptors`,
      `ulimit -n ${files}; ${RUN}`,
      69,
      new RegExp(
        `^ktc: only \\d+ more files can be opened, and the agent needs \\d+: raise the limit \\(ulimit -n 1024, or LimitNOFILE= in the unit\\)\n${HINT}$`,
      ),
    ]),
    [
      'without addresses for Node.js',
      `ulimit -v 1048576; ${RUN}`,
      69,
      /^ktc: the limit of address space in KiB is 1048576, and Node\.js needs 2097152: .*\n$/,
    ],
    [
      'with a small stack',
      `ulimit -s 64; ${RUN}`,
      69,
      /^ktc: the limit of the stack in KiB is 64, and Node\.js needs 1024: .*\n$/,
    ],
    [
      'where tracefs is read-only',
      inMounts('mount -o remount,bind,ro /sys/kernel/tracing'),
      69,
      new RegExp(
        `^ktc: /sys/kernel/tracing is mounted read-only: mount -o remount,rw /sys/kernel/tracing, outside of a container\n${HINT}$`,
      ),
    ],
    [
      'without /sys',
      inMounts('umount -l /sys'),
      69,
      new RegExp(
        `^ktc: there is no /sys/kernel/tracing: the agent needs sysfs \\(mount -t sysfs sysfs /sys\\)\n${HINT}$`,
      ),
    ],
    [
      'where it may not mount tracefs',
      `exec unshare -m sh -c 'umount -l /sys/kernel/tracing; exec setpriv --bounding-set=-sys_admin ${COMMAND}'`,
      77,
      new RegExp(
        `^ktc: cannot mount tracefs on /sys/kernel/tracing: mount: .*permission denied\\.\n${HINT}$`,
      ),
    ],
    ...['umount -l /proc', 'mount -t proc -o subset=pid proc /proc'].map(
      (change): [string, string, number, RegExp] => [
        `after ${change}`,
        inMounts(change),
        69,
        new RegExp(
          `^ktc: /proc/sys/kernel/random/boot_id cannot be read: the agent needs the whole /proc \\(mount -t proc proc /proc\\)\n${HINT}$`,
        ),
      ],
    ),
    [
      'where flock(1) is missing',
      inMounts('mount --bind /dev/null $(command -v flock)'),
      69,
      new RegExp(`^ktc: cannot lock the ftrace instance .*/${INSTANCE}: .*\n${HINT}$`),
    ],
  ])('%s it says so in one line, and leaves nothing behind', (_, script, code, line) => {
    const { status, stdout, stderr } = spawnSync('bash', ['-c', script], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    expect(stderr).toMatch(line);
    expect({ status, stdout }).toEqual({ status: code, stdout: '' });
    expect(existsSync(`${INSTANCES}/${INSTANCE}`)).toBe(false);
  });
});

describe.skipIf(missing)('a command', () => {
  const ktc = (...words: string[]) => spawnSync('bash', ['-c', words.join(' ')], { encoding: 'utf8' });

  it('of a user without a name has its number', () => {
    const [program = '', ...words] = asNobody(directory);
    const unnamed = words.map((word) => word.replace('--reuid=65534', '--reuid=12345'));
    const set = ['sink.stdout.enabled=true', 'spool.enabled=false', 'telemetry.http.enabled=false'];
    const { stdout, stderr } = spawnSync(
      program,
      [...unnamed, 'check', '--json', ...set.flatMap((each) => ['--set', each])],
      { cwd: '/', encoding: 'utf8' },
    );
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toContainEqual({
      name: 'user',
      verdict: 'ok',
      detail: '12345, who has no root to give up',
    });
  });

  it('as root of a user namespace says that it is not root of the host', () => {
    const [program = '', ...words] = asNobody(directory);
    const inside = [
      ...words.slice(0, -1),
      'unshare',
      '--user',
      '--map-root-user',
      ...words.slice(-1),
      'tcplife',
    ];
    expect(spawnSync(program, inside, { cwd: '/', encoding: 'utf8' })).toMatchObject({
      status: 77,
      stdout: '',
      stderr:
        'ktc: reading kernel events needs root of the host, and this is root of a user namespace: start it outside\n' +
        'ktc: to see what it prints without root: --from FILE, a recording\n',
    });
  });

  it.each([
    ['standard error is full', `${KTC} config check --config /nonexistent 2> /dev/full`, 78],
    ['standard error is closed', `${KTC} config check --config /nonexistent 2>&-`, 78],
    ['all that is standard is closed', `${KTC} config check --config /nonexistent <&- >&- 2>&-`, 78],
    ['standard output is full', `${KTC} config reference > /dev/full`, 74],
    [
      'its directory was removed',
      `mkdir ${directory}/gone; cd ${directory}/gone; rmdir ../gone; ${KTC} --version`,
      0,
    ],
    ['there is no directory for temporary files', `TMPDIR=/nonexistent ${KTC} module build`, 69],
  ])('has its exit code where %s', (_, script, code) => {
    expect(ktc(script).status).toBe(code);
  });
});

describe.skipIf(missing)('where the agent can run', () => {
  let agent: RunningAgent | null = null;
  afterEach(async () => {
    // unshare(1) that forks ignores SIGTERM, and ends with its child.
    if (agent?.process.spawnargs.includes('--fork') === true)
      for (const child of childrenOf(agent.pid)) process.kill(child, 'SIGTERM');
    await agent?.stop();
    agent = null;
    rmSync(PATH, { force: true });
  });

  it.each([
    ['a day ahead', ['unshare', '--time', '--monotonic', '86400', '--fork', '--kill-child']],
    ['behind', ['unshare', '--time', '--monotonic', '-60', '--fork', '--kill-child']],
    ['with a network of its own', ['unshare', '--net', 'sh', '-c', 'ip link set lo up; exec "$@"', 'sh']],
  ])('in a namespace %s, the timestamps are true', async (_, prefix) => {
    // The telemetry endpoint may be in another network.
    agent = await startAgent({ config, prefix, awaitReady: false, instance: INSTANCE });
    const isTracing = () => agent?.log().includes('reading kernel events') === true;
    await until(isTracing, 'the agent to trace');
    const before = Date.now();
    await until(async () => {
      await knock(PORT);
      return readEvents().length > 0;
    }, 'an event');
    const after = Date.now();
    for (const { timestamp } of readEvents()) {
      // The wall clock is followed by less than this.
      expect(Date.parse(timestamp)).toBeGreaterThan(before - 2_000);
      expect(Date.parse(timestamp)).toBeLessThan(after + 2_000);
    }
  });

  it.each(['uninitialized\n', '', `${'0'.repeat(32)}\n`, 'abc\n'])(
    'with the machine id %j, host_id is null and that is told',
    async (content) => {
      const id = join(directory, 'machine-id');
      writeFileSync(id, content);
      const prefix = ['unshare', '-m', 'sh', '-c', `mount --bind ${id} /etc/machine-id; exec "$@"`, 'sh'];
      agent = await startAgent({ config, prefix, instance: INSTANCE });
      await until(async () => {
        await knock(PORT);
        return readEvents().length > 0;
      }, 'an event');
      expect(new Set(readEvents().map(({ host_id }) => host_id))).toEqual(new Set([null]));
      expect(agent.log()).toContain('host_id is null: /etc/machine-id holds no machine id');
    },
  );

  it('a host that is named anew is told, and its events keep the name', async () => {
    const prefix = ['unshare', '--uts', 'sh', '-c', 'hostname web1; exec "$@"', 'sh'];
    agent = await startAgent({ config, prefix, instance: INSTANCE });
    spawnSync('nsenter', [`--uts=/proc/${agent.pid}/ns/uts`, 'hostname', 'web2']);
    await until(() => agent?.log().includes('this host is called \\"web2\\" now') === true, 'the new name');
    await until(async () => {
      await knock(PORT);
      return readEvents().length > 0;
    }, 'an event');
    expect(new Set(readEvents().map(({ host }) => host))).toEqual(new Set(['web1']));
  });
});

describe.skipIf(missing)('an instance', () => {
  afterEach(stopTools);
  const CONTAINER = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'];

  it.each([
    ['the same namespaces', [], /in use by .+ \(pid \d+\): stop it/],
    ['another pid namespace', CONTAINER, /in use by a process of another pid namespace: stop it/],
    [
      'other pid, network and mount namespaces',
      [...CONTAINER, '--net', '--uts'],
      /in use by a process of another/,
    ],
  ])('has one owner: a second agent in %s is refused', async (_, prefix, line) => {
    const owner = await startAgent({ config, instance: INSTANCE });
    try {
      const [program = '', ...args] = [...prefix, KTC, 'run', '--config', '/nonexistent'];
      const set = [
        `source.instance=${INSTANCE}`,
        'source.kind=tracepoints',
        'sink.stdout.enabled=true',
        'spool.enabled=false',
        'telemetry.http.enabled=false',
      ];
      const words = [...args.slice(0, -2), ...set.flatMap((each) => ['--set', each])];
      const second = spawnSync(program, words, { encoding: 'utf8' });
      expect(second.stderr).toMatch(line);
      expect(second.status).toBe(69);
      const before = (await owner.status()).ledger.read;
      await knock(PORT);
      await until(async () => (await owner.status()).ledger.read > before, 'the owner to read on');
    } finally {
      await owner.stop();
      rmSync(PATH, { force: true });
    }
    expect(existsSync(`${INSTANCES}/${INSTANCE}`)).toBe(false);
  });

  it('of a tool is its own, although two processes in two namespaces have the same id', async () => {
    const mine = () => readdirSync(INSTANCES).filter((name) => /^ktc-tcpconnlat-\d(-\d+)?$/.test(name));
    // As process 1 of a namespace of its own each, behind a shell that stays.
    const words = [...CONTAINER.slice(1), KTC, 'tcpconnlat', '--json', '--source', 'tracepoints'];
    const tools = [];
    for (const count of [1, 2, 3]) {
      tools.push(spawn('unshare', words, { stdio: 'ignore' }));
      await until(() => mine().length === count, `${count} instances`);
    }
    const isTracing = (name: string) => isEnabled(name, 'sock/inet_sock_set_state');
    await until(() => mine().every(isTracing), 'all of them to trace');
    // The next start of any tool leaves them alone, and so does its end.
    const next = await startTool('tcplife', '--source', 'tracepoints');
    expect(mine().map(isTracing)).toEqual([true, true, true]);
    expect(await next.stop()).toBe(0);
    expect(mine()).toHaveLength(3);
    for (const tool of tools) tool.kill('SIGKILL');
    await Promise.all(tools.map((tool) => once(tool, 'exit')));
    // And when they were killed, it removes them.
    await until(async () => {
      await (await startTool('tcplife', '--source', 'tracepoints')).stop();
      return mine().length === 0;
    }, 'the instances to be removed');
  });

  it('whose records another program reads is told, to the record', async () => {
    const opened = openKernelSource({
      catalog: TRACEPOINTS,
      instance: INSTANCE,
      bufferKb: 1024,
      lingerMs: 30,
      probes: { ...mapProbes(() => PROBE_OFF), tcp_set_state: { enabled: true, filter: `dport == ${PORT}` } },
      hostName: '',
    });
    if (!opened.ok) throw new Error(opened.problem);
    const details: string[] = [];
    const ended = opened.value.run(
      handlerOf({
        lost: (reason, records, detail) => details.push(`${reason} ${records} ${detail}`),
      }),
    );
    const buffers = readdirSync(`${INSTANCES}/${INSTANCE}/per_cpu`).map(
      (cpu) => `${INSTANCES}/${INSTANCE}/per_cpu/${cpu}`,
    );
    const readSoFar = () =>
      buffers
        .map((buffer) => /^read events: (\d+)$/m.exec(readFileSync(`${buffer}/stats`, 'utf8'))?.[1])
        .reduce((sum, events) => sum + Number(events), 0);
    const pipes = buffers.map((buffer) =>
      openSync(`${buffer}/trace_pipe_raw`, constants.O_RDONLY | constants.O_NONBLOCK),
    );
    let taken = 0;
    await until(async () => {
      for (let count = 0; count < 20; count++) await knock(PORT);
      // The source is in this process, and reads nothing meanwhile.
      const before = readSoFar();
      pipes.forEach(readAvailable);
      taken += readSoFar() - before;
      return details.length > 0;
    }, 'it to be told');
    pipes.forEach(closeSync);
    await opened.value.stop();
    await ended;
    const counts = details.map((line) =>
      /^settings_changed 1 (\d+) records were read by another program$/.exec(line),
    );
    expect(counts).not.toContain(null);
    expect(counts.reduce((sum, found) => sum + Number(found?.[1]), 0)).toBe(taken);
  });

  it.each([
    ['process.user', { process: { user: 'nobody' }, sink: { stdout: { enabled: true } } }],
    ['root', { sink: { stdout: { enabled: true } } }],
  ])('is put back whatever others write into it, as %s', async (_, changes) => {
    const agent = await startAgent({ config: { source: config.source, ...changes }, instance: INSTANCE });
    const at = (name: string) => `${INSTANCES}/${INSTANCE}/${name}`;
    const event = 'events/sock/inet_sock_set_state';
    const foreign: readonly (readonly [string, string])[] = [
      ['set_event_pid', '1 2 3'],
      ['set_event_notrace_pid', String(process.pid)],
      ['tracing_cpumask', '1'],
      ['options/overwrite', '0'],
      ['options/pause-on-trace', '1'],
      ['buffer_subbuf_size_kb', '16'],
      ['buffer_size_kb', '64'],
      [`${event}/filter`, 'dport == 2'],
      [`${event}/enable`, '0'],
      [`${event}/trigger`, `traceoff:5 if dport == ${PORT}`],
      [`${event}/trigger`, 'enable_event:sched:sched_switch:1'],
    ];
    const files = [...new Set(foreign.map(([name]) => name))].filter((name) => existsSync(at(name)));
    const look = () => files.map((name) => [name, readFileSync(at(name), 'utf8')]);
    try {
      const before = look();
      for (const [name, value] of foreign) {
        if (existsSync(at(name))) writeFileSync(at(name), value, { flag: 'a' });
      }
      expect(look()).not.toEqual(before);
      await until(() => JSON.stringify(look()) === JSON.stringify(before), 'everything to be put back');
      await until(
        async () => (await agent.status()).ledger.lost['settings_changed'] === 1,
        'it to be counted',
      );
      for (const name of files.filter((each) => !each.startsWith('set_event')))
        expect(agent.log()).toContain(name);
    } finally {
      expect(await agent.stop()).toBe(0);
    }
    expect(existsSync(`${INSTANCES}/${INSTANCE}`)).toBe(false);
  });
});
