/** Whose events they are: processes of short life, threads, exec, names that try to be more, and pid namespaces. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { ConnectEvent, TcpEvent } from '../../src/event/tcp-event.ts';
import { removeInstance } from '../../src/source/ftrace/instance.ts';
import { KTC, type RunningAgent, startAgent, whyNoAgent } from '../support/agent.ts';
import { childrenOf } from '../support/children.ts';
import { startHttpReceiver, TAKEN } from '../support/otlp-receiver.ts';
import { type RunningTool, startTool, stopTools } from '../support/tool.ts';
import { INSTANCES, isEnabled } from '../support/tracefs.ts';
import { compile, parseShortLived, type ShortLived } from '../support/traffic/traffic.ts';
import { until } from '../support/wait.ts';

const missing = whyNoAgent();
if (missing) console.warn(`skipped: whose events they are: ${missing}`);

const linesOf = <Line>(output: string): Line[] =>
  output
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as Line);

const directory = mkdtempSync(join(tmpdir(), 'ktc-processes-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const nameOf = ({ pid, comm }: { pid: number | null; comm: string | null }) => `${pid} ${comm}`;

describe.skipIf(missing)('the process of an event', () => {
  let program: string;
  let server: Server;
  const port = () => (server.address() as AddressInfo).port;

  beforeAll(async () => {
    program = await compile('short-lived');
    server = createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(stopTools);
  afterAll(() => void server?.close());

  async function runShortLived(kind: string, processes: number, busy = 0): Promise<ShortLived[]> {
    const child = spawn(program, [kind, `${processes}`, `${busy}`], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
    expect(code).toBe(0);
    return parseShortLived(output);
  }

  /** What was seen of the connections to a port, as soon as there are so many. */
  async function seen(output: () => string, remotePort: number, count: number): Promise<ConnectEvent[]> {
    const events = () =>
      linesOf<TcpEvent>(output()).filter(
        (event): event is ConnectEvent => event.event === 'tcp_connect' && event.remote_port === remotePort,
      );
    await until(() => events().length >= count, `${count} connections to port ${remotePort}`);
    return events();
  }

  const startConnect = (): Promise<RunningTool> =>
    startTool('tcpconnect', '--json', '--source', 'tracepoints');

  it.each([
    ['rename', 1_000, 0],
    ['rename', 1_000, 2],
    ['exec', 100, 0],
    ['thread', 100, 0],
  ])(
    'is right for processes of kind %s that end at once: all %d, beside %d busy loops',
    async (kind, count, busy) => {
      const tool = await startConnect();
      const processes = await runShortLived(kind, count, busy);
      const events = await seen(tool.stdout, processes[0]?.remote_port ?? 0, count);
      expect(events.map(nameOf)).toEqual(processes.map(nameOf));
      expect(new Set(events.map(({ pid_origin }) => pid_origin))).toEqual(new Set(['owner']));
    },
  );

  it('is right in a recording too', async () => {
    const file = join(directory, 'short.ktcrec');
    const instance = `ktc-test-record-${process.pid}`;
    const words = ['record', '--output', file, '--set', `source.instance=${instance}`];
    const recorder = spawn(KTC, words, { stdio: 'ignore' });
    onTestFinished(() => void recorder.kill());
    await until(() => isEnabled(instance, 'sock/inet_sock_set_state'), 'the recorder to trace');
    const processes = [...(await runShortLived('rename', 50)), ...(await runShortLived('thread', 50))];
    recorder.kill('SIGINT');
    await once(recorder, 'exit');
    const replayed = execFileSync(KTC, ['tcpconnect', '--json', '--from', file], { encoding: 'utf8' });
    const ports = new Set(processes.map(({ remote_port }) => remote_port));
    const events = linesOf<ConnectEvent>(replayed).filter(({ remote_port }) => ports.has(remote_port ?? 0));
    expect(events.map(nameOf)).toEqual(processes.map(nameOf));
  });

  it('has the name that it has at that moment, before exec and after', async () => {
    const tool = await startConnect();
    const script = `exec 3<>/dev/tcp/127.0.0.1/${port()}; exec "${program}" connect ${port()}`;
    execFileSync('bash', ['-c', script]);
    const events = await seen(tool.stdout, port(), 2);
    expect(events.map(({ comm }) => comm)).toEqual(['bash', 'short-lived']);
    expect(new Set(events.map(({ pid }) => pid)).size).toBe(1);
  });

  describe.each([
    ['followed in the kernel', true],
    ['asked for in /proc', false],
  ])('%s', (_, processTracking) => {
    let agent: RunningAgent;
    let output: string;

    beforeAll(async () => {
      output = join(directory, `named-${processTracking}.ndjson`);
      agent = await startAgent({
        config: {
          source: { kind: 'tracepoints', process_tracking: processTracking },
          sink: { file: { enabled: true, path: output } },
          batch: { linger_ms: 10 },
        },
      });
    });
    afterAll(() => agent?.stop());

    it.each([
      ['x\rTgid:\t1'],
      ['x\nTgid:\t1'],
      ['a) R 1 1 (b'],
      ['back\\slash'],
      ['  spaces  '],
      ['"\u0001\u2028'],
    ])('is not what the name %j pretends', async (name) => {
      // Its name is at most 15 bytes in the kernel.
      const kept = Buffer.from(name).subarray(0, 15).toString();
      const before = linesOf(readFileSync(output, 'utf8')).length;
      const child = spawn(program, ['connect', `${port()}`, name], { stdio: ['pipe', 'ignore', 'inherit'] });
      try {
        const ownEvents = () =>
          linesOf<TcpEvent>(readFileSync(output, 'utf8'))
            .slice(before)
            .filter(({ event, remote_port }) => event === 'tcp_connect' && remote_port === port());
        await until(() => ownEvents().length > 0, 'the connection');
        expect(ownEvents()).toMatchObject([{ pid: child.pid, comm: kept, pid_origin: 'owner' }]);
      } finally {
        child.stdin.end();
        await once(child, 'exit');
      }
    });
  });

  /** Makes a control group as systemd and runtimes do, in which a shell runs the program, and waits for what is seen of it. */
  async function runInGroup<Seen>(
    path: string,
    watch: (processes: ShortLived[]) => Promise<Seen>,
  ): Promise<Seen> {
    const systemd = '/sys/fs/cgroup/systemd';
    const root = existsSync(systemd) ? systemd : '/sys/fs/cgroup';
    const made = mkdirSync(`${root}${path}`, { recursive: true });
    try {
      const script = 'echo $$ > "$1/cgroup.procs"; "$2" rename 50; read _';
      const words = ['-c', script, 'sh', `${root}${path}`, program];
      const child = spawn('sh', words, { stdio: ['pipe', 'pipe', 'inherit'] });
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (data: string) => {
        output += data;
      });
      const ended = once(child, 'close');
      try {
        await until(() => parseShortLived(output).length === 50, 'the processes to end');
        return await watch(parseShortLived(output));
      } finally {
        child.stdin.end();
        await ended;
      }
    } finally {
      // Only what was not there before, from the inside out.
      for (
        let group = `${root}${path}`;
        made !== undefined && group.startsWith(made);
        group = dirname(group)
      ) {
        rmdirSync(group);
      }
    }
  }

  it.each([
    [`/ktc.slice/ktc-test-${process.pid}.service`, `ktc-test-${process.pid}.service`, null],
    [`/ktc-docker/${'0f'.repeat(32)}`, null, '0f'.repeat(32)],
  ])('has its unit and container, also after its end: %s', async (path, unit, containerId) => {
    const tool = await startTool(
      ...['tcpconnect', '--json', '--source', 'tracepoints'],
      ...(unit === null ? [] : ['--unit', unit]),
    );
    await runInGroup(path, async (processes) => {
      const events = await seen(tool.stdout, processes[0]?.remote_port ?? 0, processes.length);
      expect(events.map(nameOf)).toEqual(processes.map(nameOf));
      expect(events.map(({ unit, container_id }) => ({ unit, container_id }))).toEqual(
        processes.map(() => ({ unit, container_id: containerId })),
      );
    });
    const others = linesOf<TcpEvent>(tool.stdout()).filter((event) => event.unit !== unit);
    if (unit !== null) expect(others).toEqual([]);
  });

  it('is right for an agent in a pid namespace of its own, and its own traffic makes no events', async () => {
    const receiver = await startHttpReceiver({ answer: () => TAKEN });
    const output = join(directory, 'namespace.ndjson');
    // Where an earlier one asked the kernel for its number, and was killed.
    const left = { path: `${INSTANCES}/ktc-pid`, takenOver: false };
    mkdirSync(left.path);
    onTestFinished(() => void removeInstance(left));
    const agent = await startAgent({
      prefix: ['unshare', '--pid', '--fork', '--mount-proc'],
      config: {
        source: { kind: 'tracepoints' },
        sink: {
          file: { enabled: true, path: output },
          otlp: { enabled: true, endpoint: receiver.endpoint, protocol: 'http/json' },
        },
      },
    });
    const [inside] = childrenOf(agent.pid);
    try {
      expect(readdirSync(INSTANCES).filter((name) => name.startsWith('ktc-pid'))).toEqual([]);
      const processes = await runShortLived('rename', 50);
      const remotePort = processes[0]?.remote_port ?? 0;
      const events = await seen(() => readFileSync(output, 'utf8'), remotePort, processes.length);
      expect(events.map(nameOf)).toEqual(processes.map(nameOf));
      await until(() => receiver.received.length > 0, 'a request of the agent');
    } finally {
      if (inside !== undefined) process.kill(inside, 'SIGTERM');
      await agent.stop('SIGCONT');
      await receiver.close();
    }
    const own = Number(new URL(receiver.endpoint).port);
    const ownEvents = linesOf<TcpEvent>(readFileSync(output, 'utf8')).filter(
      ({ remote_port }) => remote_port === own,
    );
    expect(ownEvents).toEqual([]);
    expect(agent.finalLedger().filtered.own_traffic).toBeGreaterThan(0);
  });
});
