/** The records of tasks, in an instance whose files are ordinary ones. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TaskEvent } from '../../../src/source/decode/task-events.ts';
import { enableTaskEvents } from '../../../src/source/enable-task-events.ts';
import { taskFormat } from '../../support/task-formats.ts';

let path: string;
const file = (name: string) => `${path}/events/task/${name}`;

/** A kernel's event, or one that lacks a field. */
function addEvent(name: TaskEvent, id: number, without?: string): void {
  mkdirSync(file(name), { recursive: true });
  writeFileSync(file(`${name}/format`), taskFormat(name, id, without));
  for (const setting of ['enable', 'filter']) writeFileSync(file(`${name}/${setting}`), '');
}

const enable = (wanted: boolean, sharesFilters = false) =>
  enableTaskEvents({ path, takenOver: false }, { wanted, sharesFilters });
const settings = () =>
  ['task_newtask', 'task_rename'].map((name) => readFileSync(file(`${name}/enable`), 'utf8'));

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'ktc-tasks-'));
  addEvent('task_newtask', 300);
});
afterEach(() => rmSync(path, { recursive: true }));

test('both are enabled, without a filter', () => {
  addEvent('task_rename', 301);
  const { events, problem } = enable(true);
  expect(events.map(({ name, type }) => [name, type])).toEqual([
    ['task_newtask', 300],
    ['task_rename', 301],
  ]);
  expect([problem, settings()]).toEqual([null, ['1', '1']]);
  expect(readFileSync(file('task_rename/filter'), 'utf8')).toBe('0');
});

test('a filter that would be that of the whole host is left alone', () => {
  addEvent('task_rename', 301);
  enable(true, true);
  expect([readFileSync(file('task_rename/filter'), 'utf8'), settings()]).toEqual(['', ['1', '1']]);
});

test('what an earlier agent has enabled is disabled where it is not wanted', () => {
  addEvent('task_rename', 301);
  enable(true);
  expect(enable(false)).toEqual({ events: [], problem: null });
  expect(settings()).toEqual(['0', '0']);
});

test('one alone would tell half the story: neither is enabled, and it is said why', () => {
  expect(enable(true)).toEqual({ events: [], problem: 'this kernel has no event task:task_rename' });
  expect(readFileSync(file('task_newtask/enable'), 'utf8')).toBe('0');
  addEvent('task_rename', 301, 'pid');
  expect(enable(true).problem).toBe('event task:task_rename of this kernel lacks fields');
  expect(settings()).toEqual(['0', '0']);
});
