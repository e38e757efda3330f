/** The records of tasks, in an instance whose files are ordinary ones. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { enableTaskEvents } from '../../../src/source/enable-task-events.ts';

let path: string;
const file = (name: string) => `${path}/events/task/${name}`;

/** A kernel's event, or one that lacks the number of the thread. */
function addEvent(name: string, id: number, fields: string): void {
  mkdirSync(file(name), { recursive: true });
  const common =
    '\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;';
  writeFileSync(file(`${name}/format`), `name: ${name}\nID: ${id}\nformat:\n${common}\n${fields}`);
  for (const setting of ['enable', 'filter']) writeFileSync(file(`${name}/${setting}`), '');
}
const PID = '\tfield:pid_t pid;\toffset:8;\tsize:4;\tsigned:1;\n';
const NEW =
  '\tfield:char comm[16];\toffset:12;\tsize:16;\tsigned:0;\n\tfield:u64 clone_flags;\toffset:32;\tsize:8;\tsigned:0;\n';
const RENAMED = '\tfield:char newcomm[16];\toffset:28;\tsize:16;\tsigned:0;\n';

const enable = (wanted: boolean, sharesFilters = false) =>
  enableTaskEvents({ path, takenOver: false }, { wanted, sharesFilters });
const settings = () =>
  ['task_newtask', 'task_rename'].map((name) => readFileSync(file(`${name}/enable`), 'utf8'));

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'ktc-tasks-'));
  addEvent('task_newtask', 300, PID + NEW);
});
afterEach(() => rmSync(path, { recursive: true }));

test('both are enabled, without a filter', () => {
  addEvent('task_rename', 301, PID + RENAMED);
  const { events, problem } = enable(true);
  expect(events.map(({ name, type }) => [name, type])).toEqual([
    ['task_newtask', 300],
    ['task_rename', 301],
  ]);
  expect([problem, settings()]).toEqual([null, ['1', '1']]);
  expect(readFileSync(file('task_rename/filter'), 'utf8')).toBe('0');
});

test('a filter that would be that of the whole host is left alone', () => {
  addEvent('task_rename', 301, PID + RENAMED);
  enable(true, true);
  expect([readFileSync(file('task_rename/filter'), 'utf8'), settings()]).toEqual(['', ['1', '1']]);
});

test('what an earlier agent has enabled is disabled where it is not wanted', () => {
  addEvent('task_rename', 301, PID + RENAMED);
  enable(true);
  expect(enable(false)).toEqual({ events: [], problem: null });
  expect(settings()).toEqual(['0', '0']);
});

test('one alone would tell half the story: neither is enabled, and it is said why', () => {
  expect(enable(true)).toEqual({ events: [], problem: 'this kernel has no event task:task_rename' });
  expect(readFileSync(file('task_newtask/enable'), 'utf8')).toBe('0');
  addEvent('task_rename', 301, RENAMED);
  expect(enable(true).problem).toBe('event task:task_rename of this kernel lacks fields');
  expect(settings()).toEqual(['0', '0']);
});
