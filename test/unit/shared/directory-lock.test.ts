/** One owner of a directory at a time, whatever the namespaces of those who ask. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type DirectoryLock, lockDirectory } from '../../../src/shared/directory-lock.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ktc-lock-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function lock(path: string): DirectoryLock {
  const locked = lockDirectory(path);
  if (!locked.ok) throw new Error(locked.problem);
  onTestFinished(() => locked.value.release());
  return locked.value;
}

const HELD = { ok: false, fault: 'held', problem: 'another process holds it' };

describe('a directory', () => {
  test('is held by one at a time, whatever its name, and others are free', () => {
    const [one, other, renamed] = ['one', 'other', 'renamed'].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ];
    mkdirSync(one);
    mkdirSync(other);
    const held = lock(one);
    expect(lockDirectory(one)).toEqual(HELD);
    lock(other);
    renameSync(one, renamed);
    expect(lockDirectory(renamed)).toEqual(HELD);
    held.release();
    held.release();
    lock(renamed);
  });

  test('is free again when its owner was killed', async () => {
    // --close: the program that it runs does not inherit the lock, so the owner is flock(1) itself.
    const owner = spawn('flock', ['--close', directory, 'sh', '-c', 'echo locked; read -r _'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(owner.stdout, 'data');
    expect(lockDirectory(directory)).toEqual(HELD);
    owner.kill('SIGKILL');
    await once(owner, 'exit');
    lock(directory);
    owner.stdin.end();
  });

  test('is not held by the programs that its owner starts', async () => {
    const held = lock(directory);
    const program = spawn('sleep', ['600'], { stdio: 'ignore' });
    await once(program, 'spawn');
    held.release();
    lock(directory);
    program.kill();
    await once(program, 'exit');
  });

  test('that is not there is gone, and a file is none', () => {
    expect(lockDirectory(join(directory, 'none'))).toMatchObject({ ok: false, fault: 'gone' });
    writeFileSync(join(directory, 'file'), '');
    expect(lockDirectory(join(directory, 'file'))).toMatchObject({
      ok: false,
      fault: 'unknown',
      problem: expect.stringContaining('ENOTDIR'),
    });
  });

  test('cannot be locked without flock(1), and the problem says so', () => {
    const { PATH } = process.env;
    process.env['PATH'] = directory;
    onTestFinished(() => {
      process.env['PATH'] = PATH;
    });
    expect(lockDirectory(directory)).toEqual({
      ok: false,
      fault: 'unknown',
      problem: 'flock(1) does not run (spawnSync flock ENOENT): install util-linux',
    });
  });
});
