/** Loss counters on files as the kernel writes them (kernel/trace/trace.c, `tracing_stats_read`). */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createBufferCpus } from '../../../../src/source/ftrace/cpus.ts';
import { createLossCounter } from '../../../../src/source/ftrace/loss.ts';
import { openStats, type StatsFiles } from '../../../../src/source/ftrace/stats.ts';

let path: string;
let stats: StatsFiles;

interface Counters {
  readonly overrun?: number;
  readonly commit?: number;
  readonly dropped?: number;
  readonly read?: number;
}

function write(cpu: number, { overrun = 0, commit = 0, dropped = 0, read = 0 }: Counters): void {
  writeFileSync(
    `${path}/per_cpu/cpu${cpu}/stats`,
    `entries: 3\noverrun: ${overrun}\ncommit overrun: ${commit}\nbytes: 288\noldest event ts:  1.000000\n` +
      `now ts:  7.000042\ndropped events: ${dropped}\nread events: ${read}\n`,
  );
}

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'ktc-loss-'));
  for (const cpu of [0, 1]) {
    mkdirSync(`${path}/per_cpu/cpu${cpu}`, { recursive: true });
    write(cpu, { overrun: 10, dropped: 5, read: 100 });
  }
  stats = openStats({ path, takenOver: false }, 2);
});
afterEach(() => {
  stats.close();
  rmSync(path, { recursive: true });
});

function countLosses(takenOver: boolean, readMissed: (() => number) | null = null, missedWhileDown = 0) {
  const counter = createLossCounter(
    createBufferCpus(2, () => true),
    stats,
    readMissed,
  );
  if (takenOver) counter.takeOver(missedWhileDown);
  const read = () => {
    const lost: string[] = [];
    const readByKernel = counter.read((reason, records) => lost.push(`${reason} ${records}`));
    return { lost, readByKernel };
  };
  return { counter, read };
}

test('the counters of a CPU are read, and summed over the CPUs', () => {
  write(1, { overrun: 1, commit: 2, dropped: 4, read: 8 });
  expect(stats.read(1)).toEqual({
    entries: 3,
    bytes: 288,
    overrun: 3,
    dropped: 4,
    read: 8,
    now: 7_000_042_000n,
  });
  expect(stats.read(2)).toBeNull();
  expect([stats.total('read', [0, 1]), stats.total('entries', [0, 1])]).toEqual([108, 6]);
});

describe('what the kernel lost', () => {
  test('counts from the beginning of an instance of our own', () => {
    const { read, counter } = countLosses(false);
    expect(read()).toEqual({
      lost: ['kernel_overrun 10', 'kernel_dropped 5', 'kernel_overrun 10', 'kernel_dropped 5'],
      readByKernel: 200,
    });
    expect(read()).toEqual({ lost: [], readByKernel: 200 });
    expect(counter.status()[1]).toEqual({ cpu: 1, overrun: 15, unread_bytes: 288 });
  });

  test('counts from now on in an instance that was taken over, plus what was missed while no agent read', () => {
    const { read, counter } = countLosses(true, null, 7);
    expect(read().lost).toEqual(['while_down 7']);
    write(1, { overrun: 11, commit: 2, dropped: 5, read: 120 });
    expect(read()).toEqual({ lost: ['kernel_overrun 3'], readByKernel: 220 });
    expect(counter.status().map(({ overrun }) => overrun)).toEqual([0, 3]);
  });

  test('has the calls that the module missed, also after it was loaded again', () => {
    const counts = [4, 6, 1, 3];
    const { read } = countLosses(true, () => counts.shift() ?? 0);
    expect([read().lost, read().lost, read().lost]).toEqual([['probe_missed 2'], [], ['probe_missed 2']]);
  });
});
