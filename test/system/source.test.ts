/** The live source on the kernel's own events, which real connections over loopback make. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTracefs } from '../../src/source/ftrace/tracefs.ts';
import { type KernelSourceOptions, openKernelSource } from '../../src/source/kernel.ts';
import { mapProbes, PROBE_OFF, TRACEPOINTS } from '../../src/source/probes.ts';
import type { RecordingWriter } from '../../src/source/recording/recording.ts';
import type { Source } from '../../src/source/source.ts';
import { handlerOf } from '../support/record-handler.ts';
import type { OwnerOptions, OwnerUsage } from '../support/source-owner.ts';
import { runSteady } from '../support/traffic/traffic.ts';
import { until } from '../support/wait.ts';

const tracefs = process.getuid?.() === 0 ? openTracefs() : { ok: false as const, problem: 'needs root' };
if (!tracefs.ok) process.stdout.write(`source tests skipped: ${tracefs.problem}\n`);
const root = tracefs.ok ? tracefs.value : '';

const LARGE_KB = 4096;
/** The least the kernel makes is two pages; a few hundred records fill these. */
const SMALL_KB = 16;

let opened = 0;
const nextName = (): string => `ktc-source-${process.pid}-${opened++}`;

function optionsFor(filter: string, changes: Partial<KernelSourceOptions> = {}): KernelSourceOptions {
  const probes = { ...mapProbes(() => PROBE_OFF), tcp_set_state: { enabled: true, filter } };
  return {
    catalog: TRACEPOINTS,
    instance: nextName(),
    bufferKb: LARGE_KB,
    lingerMs: 30,
    probes,
    hostName: '',
    ...changes,
  };
}

interface Listener {
  readonly source: Source;
  readonly options: KernelSourceOptions;
  readonly lost: Map<string, number>;
  records: number;
  /** Trace time of the last record. */
  last: number;
  ascending: boolean;
  malformed: number;
  ready: boolean;
  stop(): Promise<void>;
}

const running = new Set<Listener>();

function listen(options: KernelSourceOptions, ready = true): Listener {
  const result = openKernelSource(options);
  if (!result.ok) throw new Error(result.problem);
  const source = result.value;
  const listener: Listener = {
    source,
    options,
    lost: new Map(),
    records: 0,
    last: Number.NEGATIVE_INFINITY,
    ascending: true,
    malformed: 0,
    ready,
    async stop() {
      running.delete(listener);
      await source.stop();
      await done;
    },
  };
  const done = source.run(
    handlerOf({
      ready: () => listener.ready,
      record({ time }) {
        listener.records++;
        listener.ascending &&= time >= listener.last;
        listener.last = time;
      },
      malformedRecord: () => listener.malformed++,
      malformedPage: () => listener.malformed++,
      lost: (reason, records) => listener.lost.set(reason, (listener.lost.get(reason) ?? 0) + records),
    }),
  );
  running.add(listener);
  return listener;
}

/** Waits until all that the kernel has recorded so far has arrived; others may go on making records. */
async function settled(listener: Listener): Promise<void> {
  const now = listener.source.clock.now();
  let before = -1;
  await until(() => {
    const isSame = listener.records === before;
    before = listener.records;
    return listener.last > now || (isSame && readKernel(listener.options.instance, 'entries') === 0);
  }, 'the records to end');
}

interface Owner {
  readonly process: ChildProcess;
  usage(): Promise<OwnerUsage>;
  stop(): Promise<OwnerUsage>;
  kill(): Promise<void>;
}

async function startOwner(source: KernelSourceOptions, ready = true): Promise<Owner> {
  const options: OwnerOptions = { source, ready };
  const program = join(import.meta.dirname, '../support/source-owner.ts');
  const child = spawn(process.execPath, ['--no-warnings', program, JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<OwnerUsage> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error('the owner of the source has ended');
    return JSON.parse(value) as OwnerUsage;
  };
  await answer();
  return {
    process: child,
    usage() {
      child.stdin.write('usage\n');
      return answer();
    },
    async stop() {
      const ended = once(child, 'exit');
      child.stdin.write('stop\n');
      const usage = await answer();
      await ended;
      return usage;
    },
    async kill() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

let server: Server;
let port = 0;
let portFilter = '';

/** Connections one after another: each makes the same state changes, all of them before it resolves. */
async function connections(count: number): Promise<void> {
  for (let made = 0; made < count; made++) {
    const socket = connect({ host: '127.0.0.1', port });
    socket.resume();
    await once(socket, 'close');
  }
}

function readKernel(instance: string, name: 'overrun' | 'entries' | 'read events'): number {
  return readdirSync(`${root}/instances/${instance}/per_cpu`)
    .map((cpu) => readFileSync(`${root}/instances/${instance}/per_cpu/${cpu}/stats`, 'utf8'))
    .reduce((sum, stats) => sum + Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(stats)?.[1]), 0);
}

describe.skipIf(!tracefs.ok)('the live source', () => {
  beforeAll(async () => {
    server = createServer((socket) => socket.end());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const address = server.address();
    port = typeof address === 'object' && address !== null ? address.port : 0;
    portFilter = `sport == ${port} || dport == ${port}`;
  });
  afterAll(async () => {
    for (const listener of running) await listener.stop();
    server.close();
  });

  it('wakes up for a record after a rest, and reads a busy kernel in order, with nothing lost', async () => {
    const listener = listen(optionsFor(''));
    for (let round = 0; round < 3; round++) {
      // Longer than it polls after the last record, so that each round finds it waiting.
      await delay(300);
      const before = listener.records;
      await connections(1);
      await until(() => listener.records > before, 'a record');
    }
    const { connections: made } = await runSteady({ perSecond: 1_000, seconds: 3 });
    await settled(listener);
    await listener.stop();
    expect(listener.records).toBeGreaterThan(made * 8);
    expect([listener.ascending, listener.malformed, listener.lost.size]).toEqual([true, 0, 0]);
  });

  it('leaves in the kernel what waits for its round, and so does not lose it if it is killed', async () => {
    const options = optionsFor(portFilter, { lingerMs: 10_000 });
    const owner = await startOwner(options);
    await connections(20);
    const entries = readKernel(options.instance, 'entries');
    expect(entries).toBeGreaterThan(100);
    expect((await owner.usage()).records).toBe(0);
    await owner.kill();
    expect([readKernel(options.instance, 'entries'), readKernel(options.instance, 'read events')]).toEqual([
      entries,
      0,
    ]);
    const heir = listen({ ...options, lingerMs: 30 });
    await settled(heir);
    await heir.stop();
    expect([heir.records, heir.lost.size]).toEqual([entries, 0]);
  });

  it('reads sooner than its round is due when the buffer fills', async () => {
    const listener = listen(optionsFor('', { lingerMs: 3_600_000, bufferKb: 1024 }));
    const { connections: made } = await runSteady({ perSecond: 1_000, seconds: 3 });
    // Less than a quarter of each buffer may still be there, of the ten records that each connection makes.
    await until(() => listener.records > made * 5, 'records to be read long before the linger is over');
    await listener.stop();
    expect(listener.records).toBeGreaterThan(made * 8);
  });

  it('counts what the kernel overwrote to the unit, as the kernel and as its pages do', async () => {
    const witness = listen(optionsFor(portFilter));
    const pages: Buffer[] = [];
    const recording: RecordingWriter = {
      begin() {},
      existing() {},
      page: (_, page) => pages.push(Buffer.from(page)),
      clock() {},
      task() {},
      place() {},
      give() {},
      lost() {},
      host() {},
      close: () => ({ pages: 0, bytes: 0, problem: null }),
    };
    const slow = listen(optionsFor(portFilter, { bufferKb: SMALL_KB, recording }), false);
    await connections(300);
    await settled(witness);
    expect(slow.source.status().paused).toBe(true);
    const overrun = readKernel(slow.options.instance, 'overrun');
    slow.ready = true;
    await until(() => readKernel(slow.options.instance, 'entries') === 0, 'the kernel to have nothing');
    await slow.stop();
    await witness.stop();

    expect(overrun).toBeGreaterThan(1_000);
    expect([...slow.lost]).toEqual([['kernel_overrun', overrun]]);
    expect(witness.lost.size).toBe(0);
    expect(slow.records + overrun).toBe(witness.records);
    const marks = pages.map((page) => page.readUInt32LE(8)).filter((commit) => commit >>> 31 === 1);
    const counted = pages
      .filter((page) => page.readUInt32LE(8) >>> 30 === 3)
      .reduce((sum, page) => sum + page.readUInt32LE(16 + (page.readUInt32LE(8) & 0xfffff)), 0);
    const allCounted = marks.every((commit) => commit >>> 30 === 3);
    process.stdout.write(`overrun: ${overrun} by the kernel, ${counted} on ${marks.length} marked pages\n`);
    expect(marks.length).toBeGreaterThan(0);
    if (allCounted) expect(counted).toBe(overrun);
    else expect(counted).toBeLessThan(overrun);
  });

  it('counts what it leaves in the kernel when nothing takes it any more', async () => {
    const witness = listen(optionsFor(portFilter));
    const full = listen(optionsFor(portFilter), false);
    await connections(20);
    await settled(witness);
    await full.stop();
    await witness.stop();
    expect(witness.records).toBeGreaterThan(100);
    expect([...full.lost]).toEqual([['left_in_kernel', witness.records]]);
  });

  it('takes over the instance of a killed process, with what nobody read', async () => {
    const options = optionsFor(portFilter);
    const witness = listen(optionsFor(portFilter));
    const owner = await startOwner(options, false);
    await connections(30);
    await settled(witness);
    await owner.kill();
    expect(existsSync(`${root}/instances/${options.instance}`)).toBe(true);
    await connections(10);
    await settled(witness);
    const heir = listen(options);
    await settled(heir);
    await heir.stop();
    await witness.stop();
    expect(witness.records).toBeGreaterThan(200);
    expect(heir.records).toBe(witness.records);
    expect([heir.ascending, heir.lost.size]).toEqual([true, 0]);
    expect(existsSync(`${root}/instances/${options.instance}`)).toBe(false);
  });

  it('counts what was overwritten between a killed process and the next', async () => {
    const options = optionsFor(portFilter, { bufferKb: SMALL_KB });
    const witness = listen(optionsFor(portFilter));
    const owner = await startOwner(options);
    await connections(10);
    await settled(witness);
    await until(async () => (await owner.usage()).records === witness.records, 'the owner to have read');
    const before = witness.records;
    await owner.kill();
    await connections(300);
    await settled(witness);
    const heir = listen(options);
    await settled(heir);
    await heir.stop();
    await witness.stop();
    expect([...heir.lost.keys()]).toEqual(['while_down']);
    expect(heir.records + (heir.lost.get('while_down') ?? 0)).toBe(witness.records - before);
  });

  it('reads pages of the size that its instance has, whatever the global buffer has', async () => {
    const options = optionsFor(portFilter);
    const path = `${root}/instances/${options.instance}`;
    mkdirSync(path);
    // Kernels before 6.8 have pages of one size only, and the rest holds for them too.
    if (existsSync(`${path}/buffer_subbuf_size_kb`)) writeFileSync(`${path}/buffer_subbuf_size_kb`, '16');
    const [witness, large] = [listen(optionsFor(portFilter)), listen(options, false)];
    await connections(100);
    await settled(witness);
    large.ready = true;
    await settled(large);
    await large.stop();
    await witness.stop();
    expect(witness.records).toBeGreaterThan(500);
    expect(large.records).toBe(witness.records);
    expect([large.malformed, large.lost.size]).toEqual([0, 0]);
  });

  it('refuses an instance in use and names who uses it', async () => {
    const options = optionsFor(portFilter);
    const owner = await startOwner(options);
    const second = openKernelSource(options);
    expect(second).toEqual({
      ok: false,
      problem: expect.stringMatching(
        new RegExp(
          `^the ftrace instance ${options.instance} is in use by .+ \\(pid ${owner.process.pid}\\): `,
        ),
      ),
    });
    await connections(1);
    expect((await owner.stop()).records).toBeGreaterThan(0);
    expect(existsSync(`${root}/instances/${options.instance}`)).toBe(false);
  });

  it('runs beside another of its kind, each with all of the records', async () => {
    const [first, second] = [listen(optionsFor(portFilter)), listen(optionsFor(portFilter))];
    await connections(25);
    await settled(first);
    await settled(second);
    await first.stop();
    await second.stop();
    expect(first.records).toBeGreaterThan(100);
    expect(second.records).toBe(first.records);
  });

  it('leaves the global buffer as it was', async () => {
    const settings = [
      'tracing_on',
      'trace_clock',
      'buffer_size_kb',
      'buffer_percent',
      'current_tracer',
      'set_event',
      'events/sock/inet_sock_set_state/enable',
      'events/sock/inet_sock_set_state/filter',
    ];
    const look = () => settings.map((name) => readFileSync(`${root}/${name}`, 'utf8'));
    const before = look();
    const listener = listen(optionsFor(portFilter));
    await connections(1);
    expect(look()).toEqual(before);
    await listener.stop();
    expect(look()).toEqual(before);
  });

  it('tells that somebody has cleared its buffer, and counts on as the kernel does', async () => {
    const listener = listen(optionsFor(portFilter));
    const { instance } = listener.options;
    await connections(50);
    await settled(listener);
    writeFileSync(`${root}/instances/${instance}/trace`, '');
    expect(readKernel(instance, 'read events')).toBe(0);
    await until(async () => {
      await connections(1);
      return listener.lost.has('settings_changed');
    }, 'the loss to be told');
    await settled(listener);
    expect([...listener.lost]).toEqual([['settings_changed', 1]]);
    await until(
      () => listener.source.position()?.records === readKernel(instance, 'read events'),
      'the count to follow',
    );
    expect(readKernel(instance, 'read events')).toBeLessThan(listener.records);
    await listener.stop();
  });

  it('keeps its instance against whoever would remove it', async () => {
    const listener = listen(optionsFor(portFilter));
    const path = `${root}/instances/${listener.options.instance}`;
    expect(() => rmdirSync(path)).toThrow('EBUSY');
    await connections(1);
    await until(() => listener.records > 0, 'a record');
    await listener.stop();
    expect(existsSync(path)).toBe(false);
  });

  it.each([
    [
      'port == 1',
      /^source\.probes\.tcp_set_state\.filter: inet_sock_set_state has no field "port" \(it has .+\)$/,
    ],
    ['dport = 1', /^source\.probes\.tcp_set_state\.filter: unexpected "=" at character 7$/],
    // Right by its grammar, and refused by the kernel: numbers have no patterns.
    ['dport ~ 1', /^source\.probes\.tcp_set_state: cannot write ".*" to .*\/filter: EINVAL/],
  ])('refuses the filter %s in one line and leaves nothing behind', (filter, message) => {
    const options = optionsFor(filter);
    expect(openKernelSource(options)).toEqual({ ok: false, problem: expect.stringMatching(message) });
    expect(existsSync(`${root}/instances/${options.instance}`)).toBe(false);
  });

  it('says that no probe is enabled', () => {
    const { probes, ...options } = optionsFor('');
    const off = { ...probes, tcp_set_state: { enabled: false, filter: '' } };
    expect(openKernelSource({ ...options, probes: off })).toEqual({
      ok: false,
      problem: 'no probe is enabled: enable one below source.probes',
    });
  });
});
