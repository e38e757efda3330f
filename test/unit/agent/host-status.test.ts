/** When the agent emits a `host_status`. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createHostStatusEmitter, type HostStatusSettings } from '../../../src/agent/host-status.ts';
import type { StatusParts } from '../../../src/event/host-status.ts';
import type { SourceKind } from '../../../src/event/kinds.ts';
import { createLedger } from '../../../src/ledger/ledger.ts';
import type { HostReport } from '../../../src/source/host/report.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const REPORT: HostReport = { time: 1, netns: 1, addresses: [], counters: {}, interfaces: {} };
const SETTINGS: HostStatusSettings = { intervalSeconds: 60, configHash: '9f86d081884c7d65' };

function setUp(kind: SourceKind = 'module', settings = SETTINGS) {
  const emitted: StatusParts[] = [];
  const pipeline = { isFull: false, handOvers: 0 };
  const emitter = createHostStatusEmitter({
    source: {
      readHost: () => (kind === 'replay' ? null : REPORT),
      kernel: { hostName: 'h', hostId: '', bootId: 'boot', release: '6.1' },
      session: 'cafe0123',
    },
    sourceKind: kind,
    normalizer: { status: (parts) => emitted.push(parts) - 1 },
    ledger: createLedger(['file']),
    version: '1.2.3',
    settings,
    isFull: () => pipeline.isFull,
    handOver: () => pipeline.handOvers++,
  });
  return { emitted, emitter, pipeline };
}

test('it comes right after the start, in intervals, and at the stop', () => {
  const { emitted, emitter } = setUp();
  emitter.start();
  const counts = [1000, 59_999, 1, 60_000].map((milliseconds) => {
    vi.advanceTimersByTime(milliseconds);
    return emitted.length;
  });
  expect(counts).toEqual([1, 1, 2, 3]);
  emitter.finish();
  vi.advanceTimersByTime(600_000);
  expect(emitted).toHaveLength(4);
  expect(emitted[0]).toEqual({
    agent: { version: '1.2.3', sourceKind: 'module', configHash: '9f86d081884c7d65' },
    report: REPORT,
    ledger: expect.objectContaining({ read: 0, 'lost.kernel_overrun': 0, 'sink.file.delivered': 0 }),
  });
  expect(emitter.state()).toEqual({
    config_hash: '9f86d081884c7d65',
    interval_s: 60,
    last_event_id: 'boot-cafe0123-0-3',
  });
});

test('an interval of 0 emits none, not even on demand or at the stop', async () => {
  const { emitted, emitter } = setUp('module', { ...SETTINGS, intervalSeconds: 0 });
  emitter.start();
  const asked = emitter.request();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(await asked).toEqual({ ok: false, problem: 'host_status.interval_s is 0: there is none' });
  emitter.finish();
  expect(emitted).toEqual([]);
});

test('on demand it comes at once, and at most once a second, however many ask', async () => {
  const { emitted, emitter, pipeline } = setUp();
  const first = emitter.request();
  await vi.advanceTimersByTimeAsync(0);
  expect(await first).toEqual({ ok: true, value: 'boot-cafe0123-0-0' });
  expect(pipeline.handOvers).toBe(1);
  const others = [emitter.request(), emitter.request(), emitter.request()];
  await vi.advanceTimersByTimeAsync(999);
  expect(emitted).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  // Each answer is of an event that was made after it was asked for.
  for (const other of others) expect(await other).toEqual({ ok: true, value: 'boot-cafe0123-0-1' });
  expect(emitted).toHaveLength(2);
});

test('after a reload it tells soon of the new configuration, and keeps the new interval', () => {
  const { emitted, emitter } = setUp();
  emitter.start();
  vi.advanceTimersByTime(1000);
  emitter.set({ intervalSeconds: 5, configHash: '0123456789abcdef' });
  vi.advanceTimersByTime(1000);
  expect(emitted.map(({ agent }) => agent.configHash)).toEqual(['9f86d081884c7d65', '0123456789abcdef']);
  vi.advanceTimersByTime(5000);
  expect(emitted).toHaveLength(3);
  emitter.set({ ...SETTINGS, intervalSeconds: 0 });
  vi.advanceTimersByTime(600_000);
  expect(emitted).toHaveLength(3);
});

test('while the pipeline takes nothing there is none, and afterwards again', async () => {
  const { emitted, emitter, pipeline } = setUp();
  emitter.start();
  pipeline.isFull = true;
  vi.advanceTimersByTime(61_000);
  const asked = emitter.request();
  await vi.advanceTimersByTimeAsync(0);
  expect(await asked).toEqual({ ok: false, problem: 'no room: the spool is full, and reading waits' });
  expect(emitted).toEqual([]);
  pipeline.isFull = false;
  vi.advanceTimersByTime(60_000);
  expect(emitted).toHaveLength(1);
});

test('after the stop there is none', async () => {
  const { emitted, emitter } = setUp();
  emitter.finish();
  const asked = emitter.request();
  await vi.advanceTimersByTimeAsync(1000);
  expect(await asked).toEqual({ ok: false, problem: 'the agent is stopping' });
  expect(emitted).toHaveLength(1);
});

test('a replay emits what its recording has, without the sinks, and nothing of its own', async () => {
  const { emitted, emitter, pipeline } = setUp('replay');
  emitter.start();
  await vi.advanceTimersByTimeAsync(120_000);
  emitter.replay(REPORT);
  expect(pipeline.handOvers).toBe(0);
  emitter.finish();
  expect(emitted.map(({ report }) => report)).toEqual([REPORT]);
  expect(Object.keys(emitted[0]?.ledger ?? {}).filter((name) => name.startsWith('sink.'))).toEqual([]);
});
