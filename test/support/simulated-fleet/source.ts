/** The source of one simulated host: the records of a real recording, at a steady rate, with addresses of its own. */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createLiveClock } from '../../../src/source/clock.ts';
import type { HostReport } from '../../../src/source/host/report.ts';
import { type Task, UNKNOWN_TASK } from '../../../src/source/host/tasks.ts';
import { PROBES } from '../../../src/source/probes.ts';
import type { RecordHandler, Source } from '../../../src/source/source.ts';
import type { CapturedRecord } from './captured.ts';

export interface SimulatedHost {
  /** From 0, less than `hosts`. */
  readonly number: number;
  readonly hosts: number;
  readonly recordsPerSecond: number;
  /** Between two rounds of reading, until the agent says how long. */
  readonly lingerMs: number;
}

/** 10.64.0.0/10 has room for four million hosts. */
function addressOf(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(0x0a40_0000 + number + 1);
  return bytes;
}

function hexOf(what: string, number: number, digits: number): string {
  return createHash('sha256').update(`${what} ${number}`).digest('hex').slice(0, digits);
}

const uuidOf = (hex: string): string => hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

export function createSimulatedSource(host: SimulatedHost, captured: readonly CapturedRecord[]): Source {
  const { number, hosts, recordsPerSecond } = host;
  const clock = createLiveClock(null);
  const own = addressOf(number);
  const tasks = new Map<number, Task>(captured.map(({ record, task }) => [record.thread, task]));
  const stopping = new AbortController();
  // Hosts are not in step.
  let next = (number * 7919) % captured.length;
  let given = clock.now();
  let owed = 0;
  let isPaused = false;
  let { lingerMs } = host;

  function giveRecord(handler: RecordHandler, time: number): void {
    const { record } = captured[next] as CapturedRecord;
    next = (next + 1) % captured.length;
    record.time = time;
    own.copy(record.bytes, record.localAddress);
    // A connection has the same peer from its first record to its last.
    addressOf((number + 1 + (record.socket % (hosts - 1))) % hosts).copy(record.bytes, record.remoteAddress);
    handler.record(record);
  }

  /** What the kernel has recorded since the last round. */
  function giveRound(handler: RecordHandler): void {
    const now = clock.follow();
    const passed = now - given;
    owed += (passed / 1e9) * recordsPerSecond;
    const count = Math.floor(owed);
    owed -= count;
    for (let index = 1; index <= count; index++) {
      giveRecord(handler, given + Math.floor((passed * index) / count));
    }
    given = now;
    handler.advance(now, false);
  }

  async function run(handler: RecordHandler): Promise<void> {
    await delay((lingerMs * (number % 97)) / 97);
    while (!stopping.signal.aborted) {
      isPaused = !handler.ready();
      if (!isPaused) giveRound(handler);
      await delay(lingerMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
    giveRound(handler);
  }

  const report = (): HostReport => ({
    time: clock.now(),
    netns: 4_026_531_840,
    addresses: [own.join('.')],
    counters: { 'Tcp.RetransSegs': next, 'Tcp.OutSegs': 100 * next },
    interfaces: { eth0: { rx_packets: next, tx_packets: next, rx_errors: 0, tx_errors: 0 } },
  });

  return {
    clock,
    tasks: (thread) => tasks.get(thread) ?? UNKNOWN_TASK,
    kernel: {
      hostName: `simulated-${String(number).padStart(6, '0')}`,
      hostId: hexOf('host', number, 32),
      bootId: uuidOf(hexOf('boot', number, 32)),
      release: '3.10.0-862.el7.x86_64',
    },
    session: hexOf('session', number, 8),
    run,
    setLinger(milliseconds) {
      lingerMs = milliseconds;
    },
    async stop() {
      stopping.abort();
    },
    status: () => ({
      kind: 'tracepoints',
      instance: `simulated-${number}`,
      clock: 'mono',
      cpus: [],
      probes: PROBES.map((name) => ({
        ...{ name, event: name, enabled: true, filter: '', problem: null },
        filteredBy: 'kernel',
      })),
      module: null,
      processTracking: { enabled: true, problem: null },
      paused: isPaused,
      disturbances: [],
    }),
    ownPid: null,
    position: () => null,
    readHost: report,
  };
}
