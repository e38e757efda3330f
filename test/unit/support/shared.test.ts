import { expect, test } from 'vitest';
import { shared, type Tried } from '../../support/shared.ts';

const tried = (retryCount: number): Tried => ({ task: { result: { retryCount } } });
const NOT_YET: Tried = { task: {} };

test('what tests share is made for the first of them, and once more where one is tried again', async () => {
  let made = 0;
  const get = shared(async () => ++made);
  const seen = [];
  for (const test of [NOT_YET, tried(0), tried(1), tried(0), tried(1), NOT_YET]) seen.push(await get(test));
  expect(seen).toEqual([1, 1, 2, 2, 2, 2]);
});

test('what could not be made fails every test, and is made twice at most', async () => {
  let made = 0;
  const get = shared(async () => {
    throw new Error(`try ${++made}`);
  });
  const seen = [];
  for (const test of [tried(0), tried(1), tried(0), tried(1)])
    seen.push(await get(test).catch((error: Error) => error.message));
  expect(seen).toEqual(['try 1', 'try 2', 'try 2', 'try 2']);
});
