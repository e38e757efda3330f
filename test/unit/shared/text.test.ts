import { expect, test } from 'vitest';
import { bytes, duration, escapeAsJson, escapeControls, grouped } from '../../../src/shared/text.ts';

test.each([
  [0, '0'],
  [999, '999'],
  [1_000, '1,000'],
  [-1_234, '-1,234'],
  [9_007_199_254_740_991, '9,007,199,254,740,991'],
])('grouped %d is %s', (value, text) => expect(grouped(value)).toBe(text));

test.each([
  [0, '0 B'],
  [1_023, '1023 B'],
  [1_024, '1 KiB'],
  [1_536, '1.5 KiB'],
  [10 * 1024 + 512, '11 KiB'],
  [64 * 1024 ** 2, '64 MiB'],
  [3 * 1024 ** 5, '3072 TiB'],
])('%d bytes are %s', (value, text) => expect(bytes(value)).toBe(text));

test.each([
  [0.9, '0 s'],
  [59.9, '59 s'],
  [60, '1 min 0 s'],
  [3_599, '59 min 59 s'],
  [3_600, '1 h 0 min'],
  [86_399, '23 h 59 min'],
  [86_400 * 9 + 3_600 * 4, '9 d 4 h'],
])('%d seconds are %s', (value, text) => expect(duration(value)).toBe(text));

test('escapeControls escapes control characters of both ranges and leaves the rest', () => {
  expect(escapeControls('ä\u0000\u001b\u007f\u009b日本')).toBe('ä\\x00\\x1b\\x7f\\x9b日本');
});

test('escapeControls escapes what reorders or ends a line, in the form that is asked for', () => {
  expect(escapeControls('a\u202eb\u2028\u{e0001}')).toBe('a\\u{202e}b\\u{2028}\\u{e0001}');
  expect(escapeControls('a\u202eb\n\u{e0001}', escapeAsJson)).toBe('a\\u202eb\\u000a\\udb40\\udc01');
});
