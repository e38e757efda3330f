import { expect, it } from 'vitest';
import { readMoment } from '../../../src/report/moment.ts';

const NOW_MS = Date.UTC(2026, 10, 29, 15, 30);

it.each([
  ['2h', '2026-11-29T13:30:00.000Z'],
  ['90 min', '2026-11-29T14:00:00.000Z'],
  ['1.5d', '2026-11-28T03:30:00.000Z'],
  ['14:02', '2026-11-29T14:02:00.000Z'],
  ['14:02:30', '2026-11-29T14:02:30.000Z'],
  ['2026-11-28', '2026-11-28T00:00:00.000Z'],
  ['2026-11-28 14:02', '2026-11-28T14:02:00.000Z'],
  ['2026-11-28T14:02:03.5Z', '2026-11-28T14:02:03.500Z'],
  ['2026-11-28T14:02+01:00', '2026-11-28T13:02:00.000Z'],
])('%s is %s', (text, time) => {
  const moment = readMoment(text, NOW_MS);
  expect(moment.ok && new Date(moment.value * 1000).toISOString()).toBe(time);
});

it.each(['', 'yesterday', '25:99', '2h ago', '2026-13-01', '2026-11-28T14', '-2h'])(
  '%j is no time',
  (text) => {
    expect(readMoment(text, NOW_MS)).toMatchObject({
      ok: false,
      problem: expect.stringContaining('is no time'),
    });
  },
);
