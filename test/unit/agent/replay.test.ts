/** `ktc replay` as a person types it: the built bin/ktc, a recording of real traffic, no root needed. */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { SINGLE_EVENT_KINDS } from '../../../src/event/kinds.ts';
import type { KtcEvent, StateEvent, TcpEvent } from '../../../src/event/tcp-event.ts';
import { imbalances, type Ledger } from '../../../src/ledger/ledger.ts';
import { createEventValidator } from '../../support/schema.ts';
import { walkProblem } from '../../support/tcp-walk.ts';
import { putTogether, takeApart } from '../source/recorded.ts';
import { makeDirectory, RECORDING } from './files.ts';

const KTC = join(import.meta.dirname, '../../../bin/ktc');

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function ktc(...words: string[]): Promise<Result> {
  return new Promise((resolve) => {
    execFile(KTC, words, { maxBuffer: 1 << 28 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

function eventsOf(text: string): TcpEvent[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as TcpEvent);
}

describe('a recording with host reports', () => {
  const TEXT = { time: 5e8, netns: 4_026_531_840, addresses: ['10.1.2.3'] };
  const reportOf = (outSegs: number) => ({
    ...TEXT,
    counters: { 'Tcp.OutSegs': outSegs },
    interfaces: { eth0: { rx_errors: 0 } },
  });
  /** The recording, with a report before its first page and one behind its end. */
  function withReports(): string {
    const frames = takeApart(readFileSync(RECORDING));
    const frameOf = (outSegs: number) => ({
      type: 8,
      cpu: 0,
      payload: Buffer.from(JSON.stringify(reportOf(outSegs))),
    });
    const page = frames.findIndex(({ type }) => type === 2);
    const path = join(makeDirectory(), 'host.ktcrec');
    const all = [...frames.slice(0, page), frameOf(7), ...frames.slice(page), frameOf(9)];
    writeFileSync(path, gzipSync(putTogether(all)));
    return path;
  }

  test('gives a host_status for each, the same bytes again, and all other events as without', async () => {
    const path = withReports();
    const [given, again, before] = await Promise.all([
      ktc('replay', '--json', path),
      ktc('replay', '--json', path),
      ktc('replay', '--json', RECORDING),
    ]);
    expect(given).toMatchObject({ code: 0, stderr: '' });
    expect(again.stdout === given.stdout).toBe(true);
    const all = given.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as KtcEvent);
    expect(all.flatMap(createEventValidator())).toEqual([]);
    const statuses = all.filter((event) => event.event === 'host_status');
    expect(statuses.map(({ counters }) => counters['Tcp.OutSegs'])).toEqual([7, 9]);
    const [first, last] = statuses;
    expect(first).toMatchObject({ source_kind: 'replay', ordinals: { 0: 0 }, netns: 4_026_531_840 });
    expect(all.at(-1)).toBe(last);
    expect(last?.ledger['emitted']).toBe(all.length - 1);
    // Without the place on CPU 0, which the status takes.
    const others = (text: string) =>
      eventsOf(text)
        .filter(({ event }) => (event as string) !== 'host_status')
        .map(({ event_id: _, ...event }) => JSON.stringify(event));
    expect(others(given.stdout)).toEqual(others(before.stdout));
  });

  test('gives none where host_status is off, and then the bytes of one that has none', async () => {
    const off = ['--set', 'host_status.interval_s=0'];
    const [given, before] = await Promise.all([
      ktc('replay', '--json', ...off, withReports()),
      ktc('replay', '--json', RECORDING),
    ]);
    expect(given.stdout === before.stdout).toBe(true);
  });
});

describe('ktc replay --json', () => {
  let first: Result;
  let events: TcpEvent[];
  beforeAll(async () => {
    first = await ktc('replay', '--json', RECORDING);
    events = eventsOf(first.stdout);
  });

  test('ends with 0 and says nothing but events, each valid', () => {
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(events.length).toBeGreaterThan(1000);
    const validate = createEventValidator();
    expect(events.flatMap(validate)).toEqual([]);
  });

  test('gives the same bytes again: identifiers are those of the recording', async () => {
    const again = await ktc('replay', '--json', RECORDING);
    expect(again.stdout === first.stdout).toBe(true);
  });

  test('counts what limits leave out, leaves the rest as it was, and gives the same bytes again', async () => {
    const words = [
      ...['--set', 'limits.events_per_second.tcp_state=50'],
      ...['--set', 'limits.events_per_second.tcp_retransmit=2'],
      ...['--set', 'limits.burst_s=1', '--set', 'summary.interval_s=1', '--set', 'log.level=info'],
    ];
    const limited = await ktc('replay', '--json', ...words, RECORDING);
    const again = await ktc('replay', '--json', ...words, RECORDING);
    expect(again.stdout === limited.stdout).toBe(true);

    const given = eventsOf(limited.stdout);
    const validate = createEventValidator();
    expect(given.flatMap(validate)).toEqual([]);
    const last = JSON.parse(limited.stderr.trim().split('\n').at(-1) ?? '') as { ledger: Ledger };
    const { suppressed } = last.ledger;
    expect(imbalances(last.ledger)).toEqual([]);
    expect(Object.keys(suppressed).sort()).toEqual(['tcp_retransmit', 'tcp_state']);
    const of = (list: readonly TcpEvent[], kind: string) => list.filter(({ event }) => event === kind);
    for (const kind of SINGLE_EVENT_KINDS) {
      expect(of(given, kind).length + (suppressed[kind] ?? 0), kind).toBe(of(events, kind).length);
    }

    const summaries = given.filter((event) => event.event === 'tcp_retransmit_summary');
    const sum = (name: 'retransmits' | 'retransmits_suppressed') =>
      summaries.reduce((total, { [name]: count }) => total + count, 0);
    expect(sum('retransmits')).toBe(of(events, 'tcp_retransmit').length);
    expect(sum('retransmits_suppressed')).toBe(suppressed['tcp_retransmit']);
  });

  test('numbers the events of each CPU without gaps', () => {
    const next = new Map<number, number>();
    for (const { event_id, cpu } of events) {
      const ordinal = next.get(cpu) ?? 0;
      expect(event_id).toMatch(new RegExp(`-${cpu}-${ordinal}$`));
      next.set(cpu, ordinal + 1);
    }
  });

  test('every connection walks as TCP does, has one flow, one direction, and one end', () => {
    const connections = new Map<string, TcpEvent[]>();
    for (const event of events) {
      const id = String(event.connection_id);
      const its = connections.get(id);
      if (its === undefined) connections.set(id, [event]);
      else its.push(event);
    }
    expect(connections.size).toBeGreaterThan(100);
    for (const [id, its] of connections) {
      const flows = its.flatMap(({ remote_address, remote_port, local_port }) =>
        local_port === null || remote_port === null ? [] : [`${remote_address} ${remote_port} ${local_port}`],
      );
      expect(new Set(flows).size, id).toBeLessThanOrEqual(1);
      expect(new Set(its.map(({ direction }) => direction)).size, id).toBe(1);
      const walk = its.filter((event): event is StateEvent => event.event === 'tcp_state');
      expect(walkProblem(walk), id).toBeNull();
      for (const [index, { duration_us, timestamp }] of walk.entries()) {
        const before = walk[index - 1];
        if (before === undefined) continue;
        const between = (Date.parse(timestamp) - Date.parse(before.timestamp)) * 1000;
        expect(Math.abs((duration_us ?? Number.NaN) - between), id).toBeLessThanOrEqual(1000);
      }
      expect(its.filter(({ event }) => event === 'tcp_life').length, id).toBeLessThanOrEqual(1);
    }
  });

  test('a recording that is cut off gives what it holds, and says so', async () => {
    const path = join(makeDirectory(), 'cut.ktcrec');
    writeFileSync(path, readFileSync(RECORDING).subarray(0, 40_000));
    const { stdout, stderr } = await ktc('replay', '--json', path);
    const given = eventsOf(stdout);
    const texts = first.stdout.split('\n');
    const same = stdout.split('\n').findIndex((line, index) => line !== texts[index]);
    expect(same).toBeGreaterThan(1000);
    // What waited for its local port at the cut comes last, without it.
    expect(given.slice(same).every(({ local_port }) => local_port === null)).toBe(true);
    expect(stderr).toContain('is not a complete recording');
  });

  test('no recording, and none that can be read, is 69 with one line', async () => {
    const directory = makeDirectory();
    const path = join(directory, 'none.ktcrec');
    expect(await ktc('replay', path)).toEqual({
      code: 69,
      stdout: '',
      stderr: `ktc: there is no recording ${path}\n`,
    });
    const text = join(directory, 'text.ktcrec');
    writeFileSync(text, 'no recording');
    const { code, stderr } = await ktc('replay', text);
    expect(code).toBe(69);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});
