/** Whose a filter is, on ordinary files: the filter of an instance is its own file, or a link to that of the host. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { ftraceProblem, watchDisturbances } from '../../../../src/source/ftrace/disturbances.ts';
import { areFiltersShared } from '../../../../src/source/ftrace/shared-filters.ts';

const FILE = 'events/task/task_newtask/filter';
let tracefs: string;
let path: string;

beforeEach(() => {
  tracefs = mkdtempSync(join(tmpdir(), 'ktc-shared-'));
  path = `${tracefs}/instances/ktc`;
  for (const place of [tracefs, path]) mkdirSync(dirname(`${place}/${FILE}`), { recursive: true });
});
afterEach(() => rmSync(tracefs, { recursive: true }));

const shared = () => areFiltersShared(tracefs, { path, takenOver: false });
const read = (place: string) => readFileSync(`${place}/${FILE}`, 'utf8').trim();

describe('a filter', () => {
  it('is that of the host where what is written into an instance is in the global file, and is removed again', () => {
    writeFileSync(`${tracefs}/${FILE}`, 'none\n');
    symlinkSync(`${tracefs}/${FILE}`, `${path}/${FILE}`);
    expect(shared()).toEqual({ ok: true, value: true });
    expect(read(tracefs)).toBe('0');
  });

  it('is that of an instance where it is not', () => {
    for (const place of [tracefs, path]) writeFileSync(`${place}/${FILE}`, 'none\n');
    expect(shared()).toEqual({ ok: true, value: false });
    expect([read(tracefs), read(path)]).toEqual(['none', '0']);
  });

  it('is that of an instance where the host has another one, which is left alone', () => {
    writeFileSync(`${tracefs}/${FILE}`, 'comm == "a"\n');
    writeFileSync(`${path}/${FILE}`, 'none\n');
    expect(shared()).toEqual({ ok: true, value: false });
    expect([read(tracefs), read(path)]).toEqual(['comm == "a"', '0']);
  });

  it.each([
    ['none', 'comm == "a"', false],
    ['comm == "a"', 'comm == "a"', true],
  ])('is left alone if it is there: %s in the global file, %s in ours', (ofHost, own, expected) => {
    writeFileSync(`${tracefs}/${FILE}`, `${ofHost}\n`);
    writeFileSync(`${path}/${FILE}`, `${own}\n`);
    expect(shared()).toEqual({ ok: true, value: expected });
    expect([read(tracefs), read(path)]).toEqual([ofHost, own]);
  });

  it('counts as that of the host if nobody can tell', () => {
    expect(shared()).toEqual({ ok: true, value: true });
  });
});

test('a filter that another program sets is told while it is there', () => {
  writeFileSync(`${path}/${FILE}`, 'none\n');
  const watch = watchDisturbances({
    instance: { path, takenOver: false },
    sharedFilters: ['task/task_newtask'],
    needsFtrace: false,
  });
  expect(watch.look()).toEqual([]);
  writeFileSync(`${path}/${FILE}`, 'comm == "a"\n');
  expect(watch.look()).toEqual([
    `another program has filtered task:task_newtask for the whole host, to comm == "a": echo 0 > ${path}/${FILE}`,
  ]);
  // Of another agent or tool that finds out whose the filters are: it takes no record away.
  writeFileSync(`${path}/${FILE}`, 'common_type != 0 || common_pid == 432898410\n');
  expect(watch.look()).toEqual([]);
  watch.close();
});

test('ftrace that is switched off is told; a kernel that does not say has it on', () => {
  const file = join(tracefs, 'ftrace_enabled');
  expect(ftraceProblem(file)).toBeNull();
  writeFileSync(file, '1\n');
  expect(ftraceProblem(file)).toBeNull();
  writeFileSync(file, '0\n');
  expect(ftraceProblem(file)).toBe('kernel.ftrace_enabled is 0, so tcp_trace.ko sees nothing: set it to 1');
});
