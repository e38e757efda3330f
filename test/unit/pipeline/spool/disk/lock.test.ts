import { mkdirSync, renameSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { lockSpool } from '../../../../../src/pipeline/spool/disk/lock.ts';
import { makeDirectory } from '../fixture.ts';

async function lock(directory: string) {
  const held = await lockSpool(directory);
  onTestFinished(() => {
    held?.close();
  });
  return held;
}

test('a directory is held by one at a time, whatever its name, and others are free', async () => {
  const parent = makeDirectory();
  const [one, other] = [join(parent, 'one'), join(parent, 'other')];
  mkdirSync(one);
  mkdirSync(other);
  const held = await lock(one);
  expect(held).not.toBeNull();
  expect(await lock(one)).toBeNull();
  expect(await lock(other)).not.toBeNull();
  renameSync(one, join(parent, 'renamed'));
  expect(await lock(join(parent, 'renamed'))).toBeNull();
  await new Promise((resolve) => held?.close(resolve));
  expect(await lock(join(parent, 'renamed'))).not.toBeNull();
});

test('a connection to the lock is closed at once', async () => {
  const held = await lock(makeDirectory());
  const path = held?.address();
  if (typeof path !== 'string') throw new Error('the lock has no address');
  const connection = createConnection({ path });
  await new Promise((resolve) => connection.on('close', resolve).on('error', resolve));
  expect(connection.destroyed).toBe(true);
});

test('a directory that is not there cannot be held', async () => {
  await expect(lock(join(makeDirectory(), 'none'))).rejects.toThrow('ENOENT');
});

test('a lock does not keep the process alive', async () => {
  const keepAlive = () =>
    process.getActiveResourcesInfo().filter((resource) => resource === 'PipeWrap').length;
  const before = keepAlive();
  const held = await lock(makeDirectory());
  expect(keepAlive()).toBe(before);
  // That is how a lock would be seen that does.
  held?.ref();
  expect(keepAlive()).toBe(before + 1);
});
