import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createCalls } from '../../../../../src/sink/kafka/kafkajs/calls.ts';
import type { SinkLog } from '../../../../../src/sink/sink-log.ts';

const BROKERS = ['kafka-1:9092'];
const never = () => new Promise<never>(() => {});

function createLog(): SinkLog & { readonly lines: [level: string, fields: object, message: string][] } {
  const lines: [string, object, string][] = [];
  const write = (level: string) => (fields: object, message: string) => {
    lines.push([level, fields, message]);
  };
  return { lines, debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

describe('a call', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('gives what its work gives, and leaves no timer behind', async () => {
    const log = createLog();
    const calls = createCalls(BROKERS, log);
    expect(await calls.run('sending', 5_000, async () => 7)).toBe(7);
    await expect(calls.run('sending', 5_000, () => Promise.reject(new Error('refused')))).rejects.toThrow(
      /^refused$/,
    );
    expect(vi.getTimerCount()).toBe(0);
    expect(log.lines).toEqual([]);
  });

  it('fails at its deadline with the last complaint of this call', async () => {
    const calls = createCalls(BROKERS, createLog());
    calls.complain('of an earlier call');
    const first = expect(calls.run('connecting', 300, never)).rejects.toThrow(
      /^connecting not done within 300 ms$/,
    );
    await vi.advanceTimersByTimeAsync(300);
    await first;
    const second = expect(calls.run('sending', 300.4, never)).rejects.toThrow(
      /^sending not done within 300 ms; last: no leader$/,
    );
    calls.complain('no leader');
    await vi.advanceTimersByTimeAsync(301);
    await second;
  });

  it('is logged after a second, and once more when it succeeds after all', async () => {
    const log = createLog();
    const calls = createCalls(BROKERS, log);
    const work = Promise.withResolvers<void>();
    const done = calls.run('sending', 60_000, () => work.promise);
    calls.complain('no leader');
    await vi.advanceTimersByTimeAsync(999);
    expect(log.lines).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    const slow = [
      'warn',
      { brokers: BROKERS, complaint: 'no leader' },
      expect.stringContaining('1000 ms: no leader'),
    ];
    expect(log.lines).toEqual([slow]);
    work.resolve();
    await done;
    expect(log.lines).toEqual([
      slow,
      ['info', { brokers: BROKERS, waited_ms: expect.any(Number) }, 'Kafka: sending done at last'],
    ]);
  });

  it('ends when the client is retired', async () => {
    const calls = createCalls(BROKERS, createLog());
    const ended = expect(calls.run('sending', 5_000, never)).rejects.toThrow(/given up/);
    expect(calls.isRetired).toBe(false);
    calls.retire();
    await ended;
    expect(calls.isRetired).toBe(true);
  });
});

it('a fault outside of every call fails the call under way and all later ones', () => {
  const path = (file: string) => JSON.stringify(join(import.meta.dirname, '../../../../..', file));
  // In a process of its own: the test runner listens to uncaught exceptions itself.
  const script = `
    import { createCalls } from ${path('src/sink/kafka/kafkajs/calls.ts')};
    const log = { debug() {}, info() {}, warn() {}, error: (fields, message) => console.log(message, fields.err.message) };
    const calls = createCalls(['b:1'], log);
    const fail = (error) => console.log(error.constructor.name, error.message);
    await calls.run('sending', 60_000, () => {
      setTimeout(() => { throw new TypeError('x is undefined'); }, 1);
      return new Promise(() => {});
    }).catch(fail);
    await calls.run('sending', 60_000, async () => console.log('never runs')).catch(fail);
    calls.retire();
    calls.contain(() => setTimeout(() => { throw new Error('ignored'); }, 1));`;
  const out = execFileSync(
    process.execPath,
    ['--no-warnings', '--input-type=module-typescript', '-e', script],
    { encoding: 'utf8' },
  );
  expect(out).toBe(
    'kafkajs threw outside of any call, its client will be renewed x is undefined\n' +
      'Error kafkajs failed: x is undefined\nError kafkajs failed: x is undefined\n',
  );
});
