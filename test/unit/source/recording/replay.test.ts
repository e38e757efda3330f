import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { epochAt, toWallMilliseconds } from '../../../../src/source/clock.ts';
import { PROBES, type ProbeName } from '../../../../src/source/probes.ts';
import { createRecording, type RecordedEvent } from '../../../../src/source/recording/recording.ts';
import { openReplay } from '../../../../src/source/recording/replay.ts';
import { buildPage, pageHeaderText, type RecordSpec } from '../../../support/page-builder.ts';
import { handlerOf } from '../../../support/record-handler.ts';
import { taskFormat } from '../../../support/task-formats.ts';
import { putTogether, RECORDINGS, type Recorded, readRecordings, takeApart } from '../recorded.ts';

const directory = mkdtempSync(join(tmpdir(), 'ktc-replay-'));
afterAll(() => rmSync(directory, { recursive: true }));

const recordings = readRecordings();
const readme = readFileSync(join(RECORDINGS, 'README.md'), 'utf8');

interface Heard {
  readonly records: string[];
  readonly counts: Partial<Record<ProbeName, number>>;
  readonly lost: string[];
  readonly problems: string[];
  filtered: number;
  malformed: number;
  ascending: boolean;
  wallFrom: number;
  wallTo: number;
}

async function replay(path: string, ready: () => boolean = () => true): Promise<Heard> {
  const problems: string[] = [];
  const opened = await openReplay(path, (problem) => problems.push(problem));
  if (!opened.ok) throw new Error(opened.problem);
  const { value: source } = opened;
  const heard: Heard = {
    records: [],
    counts: {},
    lost: [],
    problems,
    filtered: 0,
    malformed: 0,
    ascending: true,
    wallFrom: Number.POSITIVE_INFINITY,
    wallTo: 0,
  };
  let last = Number.NEGATIVE_INFINITY;
  await source.run(
    handlerOf({
      ready,
      record({ probe, time, cpu, thread, bytes, localAddress, addressLength, localPort, remotePort }) {
        heard.counts[probe] = (heard.counts[probe] ?? 0) + 1;
        heard.ascending &&= time >= last;
        last = time;
        const wall = toWallMilliseconds(source.clock, time);
        heard.wallFrom = Math.min(heard.wallFrom, wall);
        heard.wallTo = Math.max(heard.wallTo, wall);
        const local = bytes.toString('hex', localAddress, localAddress + addressLength);
        const { pid, comm } = source.tasks(thread, cpu, time);
        heard.records.push(
          [probe, time, wall, cpu, thread, pid, comm, local, localPort, remotePort].join(' '),
        );
      },
      filteredRecord: () => heard.filtered++,
      malformedRecord: () => heard.malformed++,
      malformedPage: () => heard.malformed++,
      lost: (reason, count) => heard.lost.push(`${reason} ${count}`),
    }),
  );
  return heard;
}

function write(name: string, bytes: Buffer): string {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return path;
}

function countsInReadme(name: string): Partial<Record<ProbeName, number>> {
  const row = readme.split('\n').find((line) => line.startsWith(`| ${name} `));
  const cells = row?.split('|').map((cell) => cell.trim()) ?? [];
  const columns =
    readme
      .split('\n')
      .find((line) => line.startsWith('| recording '))
      ?.split('|') ?? [];
  return Object.fromEntries(
    columns.flatMap((column, index) => {
      const probe = PROBES.find((name) => name === column.trim());
      return probe === undefined || cells[index] === '-' ? [] : [[probe, Number(cells[index])]];
    }),
  );
}

describe.each(recordings)('the recording $name', ({ name, path }: Recorded) => {
  it('gives what test/recordings/README.md says, in the order of time', async () => {
    const heard = await replay(path);
    expect(heard.problems).toEqual([]);
    expect(heard.counts).toEqual(countsInReadme(name));
    expect(heard.malformed).toBe(0);
    expect(heard.ascending).toBe(true);
    expect(heard.wallFrom).toBeGreaterThan(Date.UTC(2026, 0));
    expect(heard.wallTo - heard.wallFrom).toBeLessThan(60_000);
  });

  it('gives the same again, and the same to a handler that is often not ready', async () => {
    const first = await replay(path);
    let asked = 0;
    const second = await replay(path, () => asked++ % 3 !== 0);
    expect(second.records).toEqual(first.records);
    expect(asked).toBeGreaterThan(3);
  });
});

const events = (recordings[0]?.events ?? []) as readonly RecordedEvent[];
const stateType = Number(
  /^ID: (\d+)/m.exec(events.find(({ probe }) => probe === 'tcp_set_state')?.format ?? '')?.[1],
);

function stateRecord(thread: number, delta: number): RecordSpec {
  const payload = Buffer.alloc(76);
  payload.writeUInt16LE(stateType, 0);
  payload.writeInt32LE(thread, 4);
  payload.writeUInt32LE(1, 20);
  payload.writeUInt16LE(2, 28);
  return { kind: 'data', payload, delta };
}

const EPOCH = 9_000_000_000_000_000n;

/** A recording of two CPUs, clock steps, tasks and losses, made by the writer itself. */
function makeRecording(name: string, filtered: Partial<RecordedEvent> = {}): string {
  const path = join(directory, name);
  const created = createRecording(path, () => expect.unreachable());
  if (!created.ok) throw new Error(created.problem);
  const recording = created.value;
  const page = (time: bigint, ...records: RecordSpec[]) =>
    recording.page(Number(time % 2n), buildPage({ timestamp: EPOCH + time, records }));
  const clock = {
    epoch: epochAt(EPOCH),
    wallSeconds: 100,
    wallNanoseconds: 5,
    now: () => 0,
    follow: () => 0,
  };
  recording.begin({
    kernel: { hostName: 'h', hostId: 'i', bootId: 'b', release: '6.18' },
    session: 'cafe',
    cpus: 2,
    clockName: 'mono',
    epoch: clock.epoch,
    pageFormat: pageHeaderText(4096),
    events: events.map((event) => ({ ...event, ...filtered })),
  });
  page(1_000n, stateRecord(11, 0), stateRecord(12, 1_000));
  page(1_001n, stateRecord(13, 0));
  recording.clock(clock);
  recording.task(11, null, { who: { pid: 10, comm: 'first', isKernel: false }, since: 0 });
  recording.give(1_500);
  recording.lost('kernel_overrun', 7);
  clock.wallSeconds = 200;
  recording.clock(clock);
  recording.task(11, null, { who: { pid: 10, comm: 'renamed', isKernel: false }, since: 0 });
  page(3_001n, stateRecord(11, 0));
  recording.give(Number.POSITIVE_INFINITY);
  recording.lost('kernel_dropped', 1);
  recording.close();
  return path;
}

const TASK_EVENTS = [
  { name: 'task_newtask' as const, format: taskFormat('task_newtask', 60_001) },
  { name: 'task_rename' as const, format: taskFormat('task_rename', 60_002) },
];

function taskRecord(type: number, thread: number, by: number, name: string, delta: number): RecordSpec {
  const payload = Buffer.alloc(48);
  payload.writeUInt16LE(type, 0);
  payload.writeInt32LE(by, 4);
  payload.writeInt32LE(thread, 8);
  payload.write(name, type === 60_001 ? 12 : 28);
  return { kind: 'data', payload, delta };
}

describe('a recording with records of tasks', () => {
  it('gives each record the task of its moment, and what /proc said then', async () => {
    const path = join(directory, 'tasks.ktcrec');
    const created = createRecording(path, () => expect.unreachable());
    if (!created.ok) throw new Error(created.problem);
    const recording = created.value;
    recording.begin({
      kernel: { hostName: 'h', hostId: 'i', bootId: 'b', release: '6.18' },
      session: 'cafe',
      cpus: 1,
      clockName: 'mono',
      epoch: epochAt(EPOCH),
      pageFormat: pageHeaderText(4096),
      events,
      taskEvents: TASK_EVENTS,
    });
    const task = (comm: string) => ({ who: { pid: 10, comm, isKernel: false }, since: 0 });
    recording.task(11, null, task('first'));
    const records = [
      ...[stateRecord(11, 0), taskRecord(60_002, 11, 11, 'second', 10), stateRecord(11, 10)],
      ...[taskRecord(60_001, 12, 11, 'second', 10), stateRecord(12, 10)],
      ...[stateRecord(13, 10), stateRecord(14, 10)],
    ];
    recording.page(0, buildPage({ timestamp: EPOCH + 1_000n, records }));
    recording.task(13, 1_050, task('asked'));
    recording.task(14, 1_060, null);
    recording.give(1_500);
    recording.lost('kernel_overrun', 7);
    recording.page(
      0,
      buildPage({ timestamp: EPOCH + 2_000n, records: [stateRecord(13, 0), stateRecord(12, 10)] }),
    );
    recording.task(13, 2_000, task('asked again'));
    recording.task(12, 2_010, null);
    recording.give(Number.POSITIVE_INFINITY);
    recording.close();
    const heard = await replay(path);
    const named = heard.records.map((record) => record.split(' ').slice(4, -3).join(' '));
    expect(named).toEqual([
      '11 10 first',
      '11 10 second',
      '12 12 second',
      '13 10 asked',
      '14  ',
      '13 10 asked again',
      '12  ',
    ]);
    expect([heard.filtered, heard.problems]).toEqual([2, []]);
  });
});

describe('a recording that was just written', () => {
  it('gives the same records with the clock and the tasks of their moment', async () => {
    const heard = await replay(makeRecording('made.ktcrec'));
    const at = (seconds: number, time: number) => seconds * 1000 + (5 + time) / 1e6;
    expect(heard.problems).toEqual([]);
    expect(heard.records.map((record) => record.split(' ').slice(1, 7).join(' '))).toEqual([
      `1000 ${at(100, 1000)} 0 11 10 first`,
      `1001 ${at(100, 1001)} 1 13 13 `,
      `2000 ${at(200, 2000)} 0 12 12 `,
      `3001 ${at(200, 3001)} 1 11 10 renamed`,
    ]);
    expect(heard.lost).toEqual(['kernel_overrun 7', 'kernel_dropped 1']);
  });

  it('filters as the source did, where that had to decide its filters itself', async () => {
    const filter = 'common_pid == 11';
    const here = await replay(makeRecording('here.ktcrec', { filter, filteredBy: 'source' }));
    expect(here.records.map((record) => record.split(' ')[4])).toEqual(['11', '11']);
    expect(here.filtered).toBe(2);
    const byKernel = await replay(makeRecording('kernel.ktcrec', { filter, filteredBy: 'kernel' }));
    expect([byKernel.records.length, byKernel.filtered]).toEqual([4, 0]);
  });

  it('stops when it is told to', async () => {
    const opened = await openReplay(recordings[0]?.path ?? '', () => {});
    if (!opened.ok) throw new Error(opened.problem);
    let records = 0;
    await opened.value.run(
      handlerOf({
        record() {
          records++;
          void opened.value.stop();
        },
      }),
    );
    expect(records).toBeGreaterThan(0);
    expect(records).toBeLessThan(
      Object.values(countsInReadme(recordings[0]?.name ?? '')).reduce((a, b) => a + b),
    );
  });
});

describe('a file that cannot be replayed is refused in one line:', () => {
  const whole = makeRecording('whole.ktcrec');
  const frames = takeApart(readFileSync(whole));
  const withHeader = (header: object) => {
    const payload = Buffer.from(JSON.stringify(header));
    return gzipSync(putTogether([{ type: 1, cpu: 0, payload }, ...frames.slice(1)]));
  };
  const header = JSON.parse(frames[0]?.payload.toString() ?? '') as Record<string, unknown>;
  const longFrame = Buffer.alloc(64);
  longFrame.writeUInt8(1);
  longFrame.writeUInt32LE(0x7fff_ffff, 4);

  it.each<[string, Buffer | null, string]>([
    ['absent', null, 'there is no recording PATH'],
    ['empty', Buffer.alloc(0), 'unexpected end of file'],
    ['text', Buffer.from('{"event":"tcp_state"}\n'), 'incorrect header check'],
    ['another-gzip', gzipSync('hello, this is no recording'), 'a frame of'],
    ['headless', gzipSync(putTogether(frames.slice(1))), 'it has no header'],
    ['long-frame', gzipSync(longFrame), 'a frame of 2147483647 bytes'],
    ['cut-in-the-header', gzipSync(putTogether(frames).subarray(0, 100)), 'it ends within a frame'],
    ['no-json', gzipSync(putTogether([{ type: 1, cpu: 0, payload: Buffer.from('{"vers') }])), 'JSON'],
    ['later-version', withHeader({ ...header, version: 2 }), 'its version is 2, not 1'],
    ['no-version', withHeader({}), 'its version is undefined, not 1'],
    ['no-fields', withHeader({ version: 1 }), 'its header lacks fields'],
    [
      'no-formats',
      withHeader({ ...header, events: [{ probe: 'tcp_set_state', format: '' }] }),
      'tcp_set_state',
    ],
    ['no-page-format', withHeader({ ...header, pageFormat: 'x' }), 'has no page format'],
  ])('%s', async (name, bytes, expected) => {
    const path = bytes === null ? join(directory, name) : write(name, bytes);
    const opened = await openReplay(path, () => {});
    const problem = opened.ok ? '' : opened.problem;
    expect(problem).toContain(expected.replace('PATH', path));
    expect(problem.split('\n')).toHaveLength(1);
  });
});

it('an error of the handler is not taken for a damaged recording', async () => {
  const failing = replay(makeRecording('failing.ktcrec'), () => {
    throw new TypeError('a bug of the pipeline');
  });
  await expect(failing).rejects.toThrow('a bug of the pipeline');
});

describe('a recording that is damaged further on', () => {
  const [recording] = recordings;
  const bytes = recording === undefined ? Buffer.alloc(0) : readFileSync(recording.path);
  const frames = recording?.frames ?? [];
  const total = Object.values(countsInReadme(recording?.name ?? '')).reduce((sum, count) => sum + count, 0);

  it.each<[string, Buffer, string]>([
    ['cut-off', bytes.subarray(0, Math.floor(bytes.length * 0.7)), 'unexpected end of file'],
    ['flipped', Buffer.from(bytes).fill(0xff, bytes.length - 900, bytes.length - 800), ''],
    ['cut-between-frames', gzipSync(putTogether(frames.slice(0, -40))), 'it ends before the recorder ended'],
    ['cut-within-a-frame', gzipSync(putTogether(frames).subarray(0, -20)), 'it ends within a frame'],
    [
      'second-member-lost',
      Buffer.concat([
        gzipSync(putTogether(frames.slice(0, 200))),
        Buffer.from(gzipSync(putTogether(frames.slice(200)))).fill(0, 0, 2),
      ]),
      'it ends before the recorder ended',
    ],
  ])('%s: what came before is given, and one line says what is missing', async (name, damaged, expected) => {
    const heard = await replay(write(name, damaged));
    expect(heard.problems).toHaveLength(1);
    expect(heard.problems[0]).toContain(expected);
    expect(heard.problems[0]?.split('\n')).toHaveLength(1);
    expect(heard.ascending).toBe(true);
    expect(heard.records.length).toBeGreaterThan(100);
    expect(heard.records.length).toBeLessThanOrEqual(total);
  });
});
