import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type SupervisionOptions, standsStill, supervise } from '../../../src/agent/supervision.ts';
import { createLedger } from '../../../src/ledger/ledger.ts';
import { DONE, refusal } from '../../../src/shared/result.ts';

type Look = ReturnType<SupervisionOptions['snapshot']>;

/** A look at a source with records in the buffers of two CPUs. */
function look({
  read = 0,
  unread = [0, 0],
  paused = false,
}: {
  read?: number;
  unread?: (number | null)[];
  paused?: boolean;
}): Look {
  return {
    ledger: { ...createLedger([]), read },
    source: {
      kind: 'tracepoints',
      open: true,
      problem: null,
      instance: 'ktc',
      clock: 'mono',
      cpus: unread.map((unread_bytes, cpu) => ({ cpu, overrun: 0, unread_bytes })),
      probes: [],
      module: null,
      paused,
      disturbances: [],
    },
  };
}

describe('a source stands still', () => {
  test('where records waited, more came, and none was read', () => {
    expect(standsStill(look({ unread: [80, 0] }), look({ unread: [80, 4096] }))).toBe(true);
  });

  test.each([
    ['it has read some', look({ unread: [80, 0] }), look({ unread: [80, 4096], read: 1 })],
    ['nothing waited before', look({}), look({ unread: [4096, 0] })],
    ['nothing more has come', look({ unread: [80, 0] }), look({ unread: [80, 0] })],
    ['the pipeline is full', look({ unread: [80, 0] }), look({ unread: [80, 4096], paused: true })],
    ['it is a recording', look({ unread: [null] }), look({ unread: [null] })],
    ['it is closed', look({ unread: [] }), look({ unread: [] })],
  ])('not where %s', (_, before, now) => {
    expect(standsStill(before, now)).toBe(false);
  });
});

describe('the service manager is told', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function setUp(watchdogMs: number | null) {
    const told: string[] = [];
    const logged: string[] = [];
    const log = {
      warn: (_: object, text: string) => logged.push(text),
      error: (_: object, text: string) => logged.push(text),
    };
    const state = { now: look({}), answer: DONE as ReturnType<typeof refusal> | typeof DONE };
    const manager = {
      watchdogMs,
      tell(text: string) {
        told.push(text);
        return state.answer;
      },
    };
    const options = { manager, snapshot: () => state.now, log } as unknown as SupervisionOptions;
    return { told, logged, state, supervision: supervise(options) };
  }

  test('that the agent is ready, three times an interval that it is alive, and that it stops', () => {
    const { told, supervision } = setUp(60_000);
    supervision.ready();
    expect(told).toEqual(['READY=1']);
    vi.advanceTimersByTime(60_000);
    expect(told).toEqual(['READY=1', 'WATCHDOG=1', 'WATCHDOG=1', 'WATCHDOG=1']);
    supervision.stopping();
    vi.advanceTimersByTime(20_000);
    expect(told.slice(4)).toEqual(['STOPPING=1', 'WATCHDOG=1']);
    supervision.close();
    vi.advanceTimersByTime(60_000);
    expect(told).toHaveLength(6);
  });

  test('nothing while the source stands still, and again when it moves', () => {
    const { told, logged, state, supervision } = setUp(60_000);
    state.now = look({ unread: [80, 0] });
    supervision.ready();
    state.now = look({ unread: [800, 0] });
    vi.advanceTimersByTime(20_000);
    expect(told).toEqual(['READY=1']);
    expect(logged).toEqual([
      'the source reads nothing although records wait: systemd is not told that it is alive',
    ]);
    state.now = look({ unread: [80, 0], read: 9 });
    vi.advanceTimersByTime(20_000);
    expect(told).toEqual(['READY=1', 'WATCHDOG=1']);
  });

  test('the ledger that counts on is compared with what it was', () => {
    const { told, state, supervision } = setUp(60_000);
    const ledger = { ...createLedger([]), read: 5 };
    state.now = { ...look({ unread: [80, 0] }), ledger };
    supervision.ready();
    ledger.read = 6;
    state.now = { ...look({ unread: [800, 0] }), ledger };
    vi.advanceTimersByTime(20_000);
    expect(told).toEqual(['READY=1', 'WATCHDOG=1']);
  });

  test('no watchdog where none is wanted; a fault is in the log', () => {
    const { told, logged, state, supervision } = setUp(null);
    state.answer = refusal('systemd was not told READY=1: EAGAIN');
    supervision.ready();
    vi.advanceTimersByTime(120_000);
    expect(told).toEqual(['READY=1']);
    expect(logged).toEqual(['systemd was not told READY=1: EAGAIN']);
  });

  test('nothing where there is no service manager', () => {
    const supervision = supervise({
      manager: null,
      snapshot: () => look({}),
      log: { warn() {}, error() {} },
    });
    supervision.ready();
    supervision.stopping();
    supervision.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});
