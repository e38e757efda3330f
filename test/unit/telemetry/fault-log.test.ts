import { expect, test } from 'vitest';
import { rateLimited } from '../../../src/telemetry/fault-log.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { collectLines } from './log-lines.ts';

function faultLog(limits: { maximumNames?: number } = {}) {
  const lines = collectLines();
  const { log } = createLogger({ level: 'info', stream: lines.stream });
  const clock = { ms: 0 };
  const faults = rateLimited(log, { intervalMs: 1000, now: () => clock.ms, ...limits });
  const said = () => lines.all().map(({ fault, msg, repeated = 0 }) => [fault, msg, repeated]);
  return { faults, clock, said, lines };
}

test('the first is logged at once, repeats are counted and said with the next line', () => {
  const { faults, clock, said } = faultLog();
  for (clock.ms = 0; clock.ms < 1000; clock.ms += 100) faults.report('warn', 'away', `at ${clock.ms}`);
  expect(said()).toEqual([['away', 'at 0', 0]]);
  faults.report('warn', 'away', 'at 1000');
  faults.report('warn', 'away', 'at 1000 again');
  clock.ms = 2000;
  faults.report('warn', 'away', 'at 2000');
  expect(said()).toEqual([
    ['away', 'at 0', 0],
    ['away', 'at 1000', 9],
    ['away', 'at 2000', 1],
  ]);
});

test('faults of different names do not hide each other', () => {
  const { faults, said } = faultLog();
  faults.report('warn', 'away', 'a');
  faults.report('error', 'full', 'b');
  expect(said()).toEqual([
    ['away', 'a', 0],
    ['full', 'b', 0],
  ]);
});

test('level and fields are those of the report', () => {
  const { faults, lines } = faultLog();
  faults.report('error', 'away', 'broker is away', { sink: 'kafka' });
  expect(lines.all()[0]).toMatchObject({
    level: 'error',
    fault: 'away',
    sink: 'kafka',
    msg: 'broker is away',
  });
  expect(lines.all()[0]).not.toHaveProperty('repeated');
});

test('close says what was counted, once', () => {
  const { faults, said } = faultLog();
  faults.report('warn', 'away', 'first');
  faults.report('warn', 'away', 'second');
  faults.report('warn', 'away', 'third');
  faults.report('warn', 'single', 'only');
  faults.close();
  faults.close();
  expect(said()).toEqual([
    ['away', 'first', 0],
    ['single', 'only', 0],
    ['away', 'third', 2],
  ]);
});

test('a settled fault says its count, and its next time is logged at once', () => {
  const { faults, said } = faultLog();
  faults.report('warn', 'away', 'first outage');
  faults.report('warn', 'away', 'first outage, again');
  faults.settle('away');
  faults.settle('never seen');
  faults.report('warn', 'away', 'second outage');
  expect(said()).toEqual([
    ['away', 'first outage', 0],
    ['away', 'first outage, again', 1],
    ['away', 'second outage', 0],
  ]);
});

test('names are bounded: the one logged longest ago makes room and says its count', () => {
  const { faults, said } = faultLog({ maximumNames: 2 });
  faults.report('warn', 'a', 'a');
  faults.report('warn', 'a', 'a again');
  faults.report('warn', 'b', 'b');
  faults.report('warn', 'c', 'c');
  faults.report('warn', 'b', 'b again');
  expect(said()).toEqual([
    ['a', 'a', 0],
    ['b', 'b', 0],
    ['c', 'c', 0],
    ['a', 'a again', 1],
  ]);
  faults.report('warn', 'a', 'a anew');
  expect(said().at(-2)).toEqual(['a', 'a anew', 0]);
  expect(said().at(-1)).toEqual(['b', 'b again', 1]);
});

test('a name logged again counts as recent: another one makes room', () => {
  const { faults, clock, said } = faultLog({ maximumNames: 2 });
  faults.report('warn', 'a', 'a');
  clock.ms = 500;
  faults.report('warn', 'b', 'b');
  clock.ms = 1000;
  faults.report('warn', 'a', 'a again');
  faults.report('warn', 'c', 'c');
  faults.report('warn', 'a', 'a counted');
  faults.report('warn', 'b', 'b forgotten, so said');
  expect(said()).toEqual([
    ['a', 'a', 0],
    ['b', 'b', 0],
    ['a', 'a again', 0],
    ['c', 'c', 0],
    ['b', 'b forgotten, so said', 0],
    ['a', 'a counted', 1],
  ]);
});
