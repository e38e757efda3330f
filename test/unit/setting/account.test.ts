import { afterEach, expect, test } from 'vitest';
import { findAccount } from '../../../src/setting/account.ts';

const { PATH } = process.env;
afterEach(() => {
  process.env['PATH'] = PATH;
});

test('a user and a group are found by name', () => {
  expect(findAccount('root', '')).toEqual({ ok: true, value: { user: 'root', uid: 0, gid: 0 } });
});

test('a user or a group that does not exist is refused, with how to make it', () => {
  expect(findAccount('ktc-nobody', '')).toMatchObject({
    problem: expect.stringMatching(/^process\.user: this host has no user ktc-nobody: make it \(useradd /),
  });
  expect(findAccount('root', 'ktc-nobody')).toMatchObject({
    problem: expect.stringMatching(/^process\.group: this host has no group ktc-nobody: make it \(groupadd /),
  });
});

test('without getent nobody is said not to exist', () => {
  process.env['PATH'] = '/nonexistent';
  expect(findAccount('root', '')).toEqual({
    ok: false,
    problem:
      'process.user: cannot look up root, as getent does not run (spawnSync getent ENOENT): is it in PATH?',
  });
});
