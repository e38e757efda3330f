/** A host that gets another name while the agent runs. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { watchHostName } from '../../../src/agent/host-name.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function watch(configured = '') {
  const lines: string[] = [];
  const host = { name: 'web1' };
  const log = { warn: (_: object, line: string) => lines.push(line) };
  const forget = watchHostName(configured, log as never, () => host.name);
  return { lines, host, forget };
}

const told = (name: string) =>
  `this host is called "${name}" now: events say "web1" until the agent is started again`;

test('is told of each new name once, and not of the old one', () => {
  const { lines, host, forget } = watch();
  vi.advanceTimersByTime(60_000);
  expect(lines).toEqual([]);
  host.name = 'web2';
  vi.advanceTimersByTime(60_000);
  expect(lines).toEqual([told('web2')]);
  host.name = 'web1';
  vi.advanceTimersByTime(60_000);
  expect(lines).toEqual([told('web2')]);
  host.name = 'a"\nb';
  vi.advanceTimersByTime(60_000);
  expect(lines).toEqual([told('web2'), told('a\\"\\nb')]);
  forget();
  host.name = 'web3';
  vi.advanceTimersByTime(60_000);
  expect(lines).toHaveLength(2);
});

test('is nothing to tell where the configuration names the host', () => {
  const { lines, host } = watch('named');
  host.name = 'web2';
  vi.advanceTimersByTime(60_000);
  expect(lines).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});
