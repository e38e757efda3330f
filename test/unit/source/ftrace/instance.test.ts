/** What happens to the files of an instance. Its files are ordinary ones, so its directory itself stays. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeInstance } from '../../../../src/source/ftrace/instance.ts';
import { startInstanceRemover } from '../../../../src/source/ftrace/instance-remover.ts';

let path: string;

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'ktc-instance-'));
  mkdirSync(`${path}/events`);
  writeFileSync(`${path}/events/enable`, '1');
  writeFileSync(`${path}/trace`, 'records');
});
afterEach(() => rmSync(path, { recursive: true }));

const read = (file: string) => readFileSync(`${path}/${file}`, 'utf8').trim();

test('an instance is quiet before it is removed', () => {
  expect(removeInstance({ path, takenOver: false })).toMatchObject({ ok: false });
  expect([read('events/enable'), read('trace')]).toEqual(['0', '']);
});

test('also by the process that removes it for an agent without root', async () => {
  expect(await startInstanceRemover({ path, takenOver: false }).remove()).toMatchObject({ ok: false });
  expect([read('events/enable'), read('trace')]).toEqual(['0', '']);
});

test('one that is gone counts as removed', () => {
  expect(removeInstance({ path: `${path}/gone`, takenOver: false })).toEqual({ ok: true });
});
