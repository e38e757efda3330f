import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { madeOnce } from '../../support/made-once.ts';

const writing = (text: string) => (directory: string) => writeFileSync(join(directory, 'text'), text);
const textIn = (directory: string) => readFileSync(join(directory, 'text'), 'utf8');

test('what is made once is made by the first who needs it', () => {
  const first = madeOnce('of-this-test', writing('first'));
  expect(madeOnce('of-this-test', writing('second'))).toBe(first);
  expect(textIn(first)).toBe('first');
});

test('of two who make the same at the same time both have what was ready first', () => {
  const made = madeOnce('of-two', (directory) => {
    writing('slower')(directory);
    madeOnce('of-two', writing('faster'));
  });
  expect(textIn(made)).toBe('faster');
  expect(readdirSync(dirname(made)).filter((name) => name.startsWith('making-'))).toEqual([]);
});
