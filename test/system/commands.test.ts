/** The commands as a person types them: the built bin/ktc on this kernel. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { TcpEvent } from '../../src/event/tcp-event.ts';
import { asNobody, KTC, startAgent, whyNoAgent } from '../support/agent.ts';
import { createEventValidator } from '../support/schema.ts';
import { INSTANCES, isEnabled, TRACING } from '../support/tracefs.ts';
import { until } from '../support/wait.ts';

const missing = whyNoAgent();
if (missing) console.warn(`skipped: commands on a live kernel: ${missing}`);

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ktc-commands-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Of an ftrace instance; a try that fails may leave one behind. */
let named = 0;
const newInstance = (what: string) => `ktc-test-${what}-${process.pid}-${named++}`;

interface Result {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(words: readonly string[], cwd = directory): { child: ChildProcess; end: Promise<Result> } {
  const child = spawn(KTC, words, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  const end = output.then(([stdout, stderr, [code, signal]]) => ({ code, signal, stdout, stderr }));
  return { child, end };
}

const ktc = (...words: string[]): Promise<Result> => start(words).end;

/** One real connection over loopback; gives the server's port. */
async function connectOnce(): Promise<number> {
  const server = createServer((socket) => socket.on('error', () => {}).end('hello')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const client = (await import('node:net')).connect(port, '127.0.0.1').resume();
  await once(client, 'close');
  server.close();
  return port;
}

/** What a demo of a process may leave behind: network namespaces and ftrace instances that name it. */
function leftovers(pid: number): string[] {
  const namespaces = existsSync('/run/netns') ? readdirSync('/run/netns') : [];
  return [...namespaces, ...readdirSync(INSTANCES)].filter((name) => name.includes(`-${pid}`));
}

describe.skipIf(missing)('ktc', () => {
  const validate = createEventValidator();
  const parse = (stdout: string) =>
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as TcpEvent);

  it('demo --json --duration prints real retransmits as published events and ends by itself', async () => {
    const { child, end } = start(['demo', '--json', '--duration', '4', '--loss', '20']);
    const result = await end;
    expect(result).toMatchObject({ code: 0, stderr: '' });
    const events = parse(result.stdout);
    for (const event of events) expect(validate(event)).toEqual([]);
    expect(events.filter(({ event }) => event === 'tcp_retransmit').length).toBeGreaterThan(5);
    expect(leftovers(child.pid ?? 0)).toEqual([]);
  });

  it.each<NodeJS.Signals>(['SIGINT', 'SIGTERM', 'SIGKILL'])(
    'demo leaves nothing behind after %s',
    async (signal) => {
      const { child, end } = start(['demo']);
      let shown = '';
      child.stdout?.on('data', (data: Buffer) => {
        shown += data.toString();
      });
      await until(() => shown.includes('retrans '), 'the demo to show a retransmit');
      expect(leftovers(child.pid ?? 0).length).toBeGreaterThan(2);
      child.kill(signal);
      const result = await end;
      expect(signal === 'SIGKILL' ? result.signal : result.code).toBe(signal === 'SIGKILL' ? 'SIGKILL' : 0);
      await until(() => leftovers(child.pid ?? 0).length === 0, 'everything to be removed');
    },
  );

  it('demo ends quietly when its reader goes away', async () => {
    const child = spawn(KTC, ['demo'], { stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.once('data', () => child.stdout.destroy());
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
    expect(leftovers(child.pid ?? 0)).toEqual([]);
  });

  it('run --local shows a table and keeps the same events as NDJSON', async () => {
    const instance = newInstance('local');
    const { child, end } = start(['run', '--local', '--set', `source.instance=${instance}`]);
    let shown = '';
    child.stdout?.on('data', (data: Buffer) => {
      shown += data.toString();
    });
    await until(() => shown.includes('TIME '), 'the header');
    const port = await connectOnce();
    await until(() => shown.includes(`127.0.0.1:${port}`), 'the connection in the table');
    child.kill('SIGINT');
    expect(await end).toMatchObject({ code: 0 });
    const file = join(directory, 'ktc-events.ndjson');
    const events = parse(readFileSync(file, 'utf8'));
    for (const event of events) expect(validate(event)).toEqual([]);
    expect(events.some(({ event, remote_port }) => event === 'tcp_connect' && remote_port === port)).toBe(
      true,
    );
    expect(shown.trimEnd().split('\n').length - 1).toBe(events.length);
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(existsSync(`${INSTANCES}/${instance}`)).toBe(false);
  });

  it('record and replay give the same events', async () => {
    const file = join(directory, 'short.ktcrec');
    const instance = newInstance('record');
    const { child, end } = start(['record', '--output', file, '--set', `source.instance=${instance}`]);
    await until(() => isEnabled(instance, 'sock/inet_sock_set_state'), 'the probe to be on');
    const port = await connectOnce();
    child.kill('SIGINT');
    const recorded = await end;
    expect(recorded).toMatchObject({ code: 0, stderr: '' });
    const replays = [await ktc('replay', '--json', file), await ktc('replay', '--json', file)];
    expect(replays[0]?.stdout).toBe(replays[1]?.stdout);
    const events = parse(replays[0]?.stdout ?? '');
    const ours = events.filter(({ local_port, remote_port }) => local_port === port || remote_port === port);
    expect(new Set(ours.map(({ event }) => event))).toEqual(
      new Set(['tcp_state', 'tcp_connect', 'tcp_connect_latency', 'tcp_accept', 'tcp_life']),
    );
    expect(ours.find(({ event }) => event === 'tcp_connect')).toMatchObject({ pid: process.pid });
  });

  it.each([
    ['run', '--set', 'sink.file.enabled=true', '--set', 'sink.file.path=early.ndjson'],
    ['record', '--output', 'early.ktcrec'],
  ])('%s that is stopped while it starts leaves nothing behind', async (...words) => {
    const instance = newInstance('early');
    const set = [`source.instance=${instance}`, 'telemetry.http.enabled=false', 'spool.enabled=false'];
    const { child, end } = start([...words, ...set.flatMap((each) => ['--set', each])]);
    // Without a pause, which would give the program time to get further than its first step.
    await until(() => existsSync(`${INSTANCES}/${instance}`), 'the instance', { pauseMs: 0 });
    child.kill('SIGTERM');
    expect(await end).toMatchObject({ code: 0 });
    expect(existsSync(`${INSTANCES}/${instance}`)).toBe(false);
  });

  it('run ends with the reason where the module is asked for and cannot be had', async () => {
    const set = [
      ...['source.kind=module', 'source.module.build=true', 'sink.stdout.enabled=true'],
      'spool.enabled=false',
    ];
    const result = await ktc('run', ...set.flatMap((each) => ['--set', each]));
    expect(result).toMatchObject({ code: 69, stdout: '' });
    expect(result.stderr).toMatch(
      /^ktc: there is no tcp_trace\.ko for kernel \S+: .*; cannot build tcp_trace\.ko: No prepared kernel headers in .*\nktc: to see what it prints without root: ktc replay\n$/,
    );
  });

  it('record explains a file that it cannot write', async () => {
    const result = await ktc('record', '--output', '/nonexistent/x.ktcrec');
    expect(result).toMatchObject({ code: 74, stdout: '' });
    expect(result.stderr).toBe(
      "ktc: cannot write /nonexistent/x.ktcrec: ENOENT: no such file or directory, open '/nonexistent/x.ktcrec'\n",
    );
  });

  it('record refuses a pipe, whose reader can stand still', async () => {
    const path = join(directory, 'fifo');
    execFileSync('mkfifo', [path]);
    const held = openSync(path, constants.O_RDWR);
    onTestFinished(() => closeSync(held));
    expect(await ktc('record', '--output', path, '--duration', '1')).toMatchObject({
      ...{ code: 74, stdout: '' },
      stderr: `ktc: cannot write ${path}: it is no file, and a recording needs one\n`,
    });
  });

  it('record refuses a pipe that nobody reads, and does not wait for a reader', async () => {
    const path = join(directory, 'fifo');
    execFileSync('mkfifo', [path]);
    const result = await ktc('record', '--output', path, '--duration', '1');
    expect(result).toMatchObject({ code: 74, stdout: '' });
    expect(result.stderr).toContain(`ktc: cannot write ${path}: ENXIO`);
  });

  it('record ends with one line when the disk is full', async () => {
    const result = await ktc('record', '--output', '/dev/full', '--duration', '1');
    expect(result).toMatchObject({ code: 74, stdout: '' });
    expect(result.stderr).toBe('ktc: /dev/full ends after 0 bytes: ENOSPC: no space left on device, write\n');
  });

  it('run without root says what is missing and offers the recording', async () => {
    const [program = '', ...words] = asNobody(directory);
    const child = spawn(program, [...words, 'run', '--local'], {
      cwd: '/tmp',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
    expect(stderr).toBe(
      'ktc: reading kernel events needs root: run it with sudo\n' +
        'ktc: to see what it prints without root: ktc replay\n',
    );
    expect(code).toBe(77);
  });

  it('replay plays the recording that comes with it', async () => {
    const result = await ktc('replay');
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout).toContain('retrans');
  });

  it('check names what is missing and exits with 1', async () => {
    const good = await ktc(
      ...['check', '--json', '--set', 'sink.stdout.enabled=true', '--set', 'telemetry.http.port=0'],
      ...['--set', `spool.directory=${directory}`],
    );
    expect(good.code).toBe(0);
    expect(JSON.parse(good.stdout)).toContainEqual({
      name: 'spool',
      verdict: expect.stringMatching(/ok|warning/),
      detail: expect.stringMatching(`MiB free in ${directory}, up to 1024 MiB used, then drop_oldest`),
    });
    expect(JSON.parse(good.stdout)).toContainEqual({
      name: 'probe tcp_retransmit_skb',
      verdict: 'ok',
      detail: 'on',
    });
    expect(JSON.parse(good.stdout)).toContainEqual({
      name: 'processes',
      verdict: 'ok',
      detail: 'followed from their beginning',
    });
    const bad = await ktc(
      ...['check', '--set', 'sink.kafka.enabled=true', '--set', 'sink.kafka.brokers=["127.0.0.1:1"]'],
      ...['--set', 'sink.kafka.request_timeout_ms=10000', '--set', 'telemetry.http.port=0'],
    );
    expect(bad.code).toBe(1);
    expect(bad.stdout).toMatch(/^sink kafka +FAILED +Kafka at 127\.0\.0\.1:1: .*ECONNREFUSED/m);
    expect(readdirSync(INSTANCES)).not.toContain('ktc');
  });

  it('check leaves the records of a killed agent to the next one, and warns of what makes waiting dear', async () => {
    const instance = `ktc-left-${process.pid}`;
    const path = `${INSTANCES}/${instance}`;
    mkdirSync(path);
    onTestFinished(() => {
      writeFileSync(`${TRACING}/trace_options`, 'noblock');
      rmdirSync(path);
    });
    writeFileSync(`${path}/trace_marker`, 'a record');
    writeFileSync(`${TRACING}/trace_options`, 'block');
    const { code, stdout } = await ktc(
      ...['check', '--set', 'sink.stdout.enabled=true', '--set', 'telemetry.http.port=0'],
      ...['--set', 'spool.enabled=false', '--set', `source.instance=${instance}`],
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^instance +ok +${path} was left by a killed agent: `, 'm'));
    expect(stdout).toMatch(/^tracing +WARNING +trace_options has block, .*: echo noblock > \S+$/m);
    expect(readFileSync(`${path}/trace`, 'utf8')).toContain('a record');
    expect(readdirSync(INSTANCES).filter((name) => name.startsWith('ktc-check-'))).toEqual([]);
  });

  it('explains a wrong in-kernel filter', async () => {
    const result = await ktc(
      ...['run', '--set', 'sink.stdout.enabled=true', '--set', 'telemetry.http.port=0'],
      ...['--set', 'spool.enabled=false'],
      ...['--set', 'source.probes.tcp_set_state.filter=dprot == 443'],
    );
    expect(result.code).toBe(69);
    expect(result.stderr).toContain(
      'source.probes.tcp_set_state.filter: inet_sock_set_state has no field "dprot" (it has ',
    );
  });

  it('refuses an instance that another agent uses, and names that agent', async () => {
    const instance = newInstance('twice');
    const agent = await startAgent({
      config: { sink: { file: { enabled: true, path: join(directory, 'first.ndjson') } } },
      instance,
    });
    try {
      const second = await ktc(
        ...['run', '--set', 'sink.stdout.enabled=true', '--set', 'telemetry.http.enabled=false'],
        ...['--set', `source.instance=${instance}`, '--set', 'spool.enabled=false'],
      );
      expect(second.code).toBe(69);
      expect(second.stderr).toContain(`the ftrace instance ${instance} is in use by`);
      expect(second.stderr).toContain(`(pid ${agent.pid})`);
    } finally {
      await agent.stop();
    }
  });

  it('run takes over what a killed run left, with the records that came meanwhile', async () => {
    const config = { sink: { file: { enabled: true, path: join(directory, 'killed.ndjson') } } };
    const instance = newInstance('killed');
    const killed = await startAgent({ config, instance });
    await killed.stop('SIGKILL');
    expect(readdirSync(INSTANCES)).toContain(instance);
    const port = await connectOnce();
    const next = await startAgent({ config, instance });
    expect(await next.stop()).toBe(0);
    expect(readdirSync(INSTANCES)).not.toContain(instance);
    const events = parse(readFileSync(join(directory, 'killed.ndjson'), 'utf8'));
    expect(events.some(({ event, remote_port }) => event === 'tcp_connect' && remote_port === port)).toBe(
      true,
    );
  });

  it('reloads on SIGHUP what may change, and keeps the old configuration where it may not', async () => {
    const path = join(directory, 'reload.ndjson');
    const sink = { file: { enabled: true, path } };
    const agent = await startAgent({ config: { sink } });
    const reload = async (config: object, said: string) => {
      agent.configure(config);
      agent.process.kill('SIGHUP');
      await until(() => agent.log().includes(said), `the log to say ${said}`);
    };
    try {
      await reload({ sink, events: { tcp_state: false } }, 'the configuration was reloaded');
      await connectOnce();
      await reload({ sink, tracking: { max_connections: 2000 } }, '"refused":["tracking.max_connections"]');
      await reload(
        { sink, batch: { linger_ms: -1 } },
        'the configuration was not reloaded: the old one stays',
      );
    } finally {
      expect(await agent.stop()).toBe(0);
    }
    const kinds = new Set(parse(readFileSync(path, 'utf8')).map(({ event }) => event));
    expect(kinds).toContain('tcp_life');
    expect(agent.finalLedger().filtered['event_disabled']).toBeGreaterThan(9);
  });

  it('status, /metrics, /readyz and the log tell of a running agent', async () => {
    const agent = await startAgent({
      config: { sink: { file: { enabled: true, path: join(directory, 'status.ndjson') } } },
    });
    try {
      await connectOnce();
      const { port } = new URL(
        `http://${/"address":"([\d.]+)","port":(\d+)/.exec(agent.log())?.slice(1).join(':')}`,
      );
      const status = await ktc('status', '--address', `127.0.0.1:${port}`);
      expect(status.code).toBe(0);
      expect(status.stdout).toMatch(/^records +read [\d,]+ = decoded [\d,]+ \+ malformed 0$/m);
      expect(status.stdout).toMatch(/^lost +nothing$/m);
      const metrics = await agent.get('/metrics');
      expect(metrics.body).toMatch(/^ktc_\w*read\w*_total(\{[^}]*\})? \d+/m);
    } finally {
      expect(await agent.stop()).toBe(0);
    }
    const gone = await ktc('status', '--address', '127.0.0.1:1');
    expect(gone.code).toBe(69);
  });
});
