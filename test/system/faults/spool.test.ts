/** The fault matrix, the spool: its disk full, broken or gone, its files damaged, and a start with very much in it. */
import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { readCursor } from '../../../src/pipeline/spool/disk/cursor.ts';
import { systemFiles } from '../../../src/pipeline/spool/disk/files.ts';
import {
  decodeFrameHeader,
  FRAME_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
} from '../../../src/pipeline/spool/disk/frame.ts';
import { whyNoAgent } from '../../support/agent.ts';
import { fillSpool } from '../../support/fill-spool.ts';
import { memoryOf } from '../../support/memory.ts';
import { noNetworkReason } from '../../support/network.ts';
import { until } from '../../support/wait.ts';
import { type Disk, openDisk, openJournalledDisk } from './disk.ts';
import { expectExact } from './exact.ts';
import { FULL, tellRow } from './row.ts';
import { onStage, type Stage, type StageOptions } from './stage.ts';

const missing = whyNoAgent() ?? noNetworkReason;
if (missing) console.warn(`skipped: faults of the spool: ${missing}`);

const fullOnly = it.skipIf(!FULL);
const FAULT_MS = FULL ? 10_000 : 1_000;
const MIB = 2 ** 20;

/** Runs `play` with a sink that can be full. */
async function withSinkDisk(
  options: StageOptions,
  play: (stage: Stage, sinkDisk: Disk) => Promise<void>,
): Promise<void> {
  const disk = openDisk(512);
  try {
    await onStage({ sinkPath: join(disk.path, 'events.ndjson'), ...options }, (stage) => play(stage, disk));
  } finally {
    disk.close();
  }
}

describe.skipIf(missing)('when the disk of the spool', () => {
  it.each([
    ['drop_oldest', ['spool_full']],
    ['drop_newest', ['spool_full']],
    // The kernel's buffer is as small as can be: what waits there is overwritten.
    ['block', ['kernel_overrun']],
  ])('is full, %s loses what it says and counts it', async (policy, reasons) => {
    const spoolDisk = openDisk(6);
    const options = {
      source: { buffer_kb: policy === 'block' ? 64 : 16_384 },
      // Files of 1 MiB.
      spool: { when_full: policy, max_bytes: 16 * MIB },
      queue: { max_bytes: 4 * MIB },
      spoolDirectory: spoolDisk.path,
    };
    try {
      await withSinkDisk(options, async (stage, sinkDisk) => {
        await stage.start();
        await stage.traffic();
        await stage.delivers(1_000);
        sinkDisk.fill();
        const lost = async () => {
          const { ledger } = await stage.agent.status();
          return (ledger.lost['kernel_overrun'] ?? 0) + (ledger.sinks['file']?.dropped['spool_full'] ?? 0);
        };
        await until(async () => (await lost()) > 1_000, 'something to be lost');
        await delay(FAULT_MS);
        sinkDisk.free();
        await stage.delivers(10_000);
        const ending = await stage.finish();
        const losses = expectExact(`disk of the spool full, sink down, ${policy}`, ending, { reasons });
        expect(losses[reasons[0] ?? '']).toBeGreaterThan(1_000);
      });
    } finally {
      spoolDisk.close();
    }
  });

  it('becomes read-only, events go on from memory', async () => {
    const spoolDisk = openJournalledDisk(64);
    try {
      const spool = { when_full: 'block' };
      await withSinkDisk({ spool, spoolDirectory: spoolDisk.path }, async (stage, sinkDisk) => {
        await stage.start();
        await stage.traffic();
        await stage.delivers(1_000);
        sinkDisk.fill();
        await stage.spools(3_000);
        spoolDisk.abort();
        await stage.says('the file system is read-only now');
        await delay(FAULT_MS);
        sinkDisk.free();
        await stage.delivers(5_000);
        expectExact('file system of the spool becomes read-only (ext4 abort)', await stage.finish());
      });
    } finally {
      spoolDisk.close();
    }
  });

  it('loses its directory, what only that had is counted', () =>
    withSinkDisk(
      { queue: { max_bytes: 4 * MIB }, spool: { max_bytes: 64 * MIB } },
      async (stage, sinkDisk) => {
        await stage.start();
        await stage.traffic();
        await stage.delivers(1_000);
        sinkDisk.fill();
        // More than is kept in memory beside.
        await stage.spools(15_000);
        rmSync(stage.spool, { recursive: true });
        await stage.says('the directory was removed');
        await until(() => existsSync(stage.spool), 'the directory to be made again');
        await delay(FAULT_MS);
        sinkDisk.free();
        await stage.delivers(5_000);
        const ending = await stage.finish();
        const losses = expectExact('directory of the spool removed at run time, sink down', ending, {
          reasons: ['spool_damaged'],
        });
        expect(losses['spool_damaged']).toBeGreaterThan(1_000);
      },
    ));
});

interface Frame {
  readonly path: string;
  readonly at: number;
  readonly events: number;
}

/** Every frame with events that is not delivered yet, of all files in order. */
function framesOf(spool: string): Frame[] {
  const cursor = readCursor(spool, 'file', systemFiles);
  const settled = cursor.kind === 'found' ? cursor.ordinal : 0;
  const names = readdirSync(spool).filter((name) => name.endsWith('.segment'));
  return names.sort().flatMap((name) => {
    const path = join(spool, name);
    const bytes = readFileSync(path);
    const frames: Frame[] = [];
    for (let at = SEGMENT_HEADER_BYTES; at < bytes.length; ) {
      const header = decodeFrameHeader(bytes, at);
      if (header === null) throw new Error(`${path}: no frame at ${at}`);
      if (header.events > 0 && header.ordinal >= settled) frames.push({ path, at, events: header.events });
      at += FRAME_HEADER_BYTES + header.payloadBytes;
    }
    return frames;
  });
}

function flipBit(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  writeFileSync(path, bytes);
}

/** A byte of each part of a frame, by its place in it. */
const PARTS = {
  magic: 0,
  'CRC of the header': 5,
  length: 9,
  'CRC of the payload': 13,
  ordinal: 17,
  events: 25,
  held: 29,
  time: 33,
  records: 41,
  instance: 50,
  payload: FRAME_HEADER_BYTES + 100,
} as const;

/** Leaves a spool of many frames behind, as a sink that takes nothing does. */
async function leaveSpool(stage: Stage, sinkDisk: Disk): Promise<void> {
  await stage.start();
  await stage.traffic();
  await stage.delivers(1_000);
  sinkDisk.fill();
  await stage.spools(FULL ? 20_000 : 8_000);
  await stage.endTraffic();
  await until(() => stage.kernel().entries === 0, 'the kernel to have nothing');
  expect(await stage.stop()).toBe(0);
  sinkDisk.free();
}

describe.skipIf(missing)('damage to the files while no agent runs', () => {
  const play = (name: string, reasons: readonly string[], damage: (spool: string) => number) =>
    withSinkDisk({ shutdownSeconds: 1, batch: { linger_ms: 50 } }, async (stage, sinkDisk) => {
      await leaveSpool(stage, sinkDisk);
      const damaged = damage(stage.spool);
      await stage.start();
      const ending = await stage.finish();
      const losses = expectExact(name, ending, { reasons, kernelIsGone: true });
      expect(losses['spool_damaged'] ?? 0).toBe(damaged);
    });

  it('costs the frame that a flipped bit is in, whatever part of it', () =>
    play('one bit flipped in each part of a frame, eleven frames', ['spool_damaged'], (spool) => {
      const frames = framesOf(spool);
      const step = Math.floor(frames.length / (Object.keys(PARTS).length + 1));
      expect(step).toBeGreaterThan(0);
      return Object.values(PARTS).reduce((events, place, index) => {
        const frame = frames[(index + 1) * step];
        if (frame === undefined) throw new Error('too few frames');
        flipBit(frame.path, frame.at + place);
        return events + frame.events;
      }, 0);
    }));

  fullOnly('costs what was cut off', () =>
    play('file of the spool truncated', ['spool_damaged'], (spool) => {
      const frames = framesOf(spool);
      const kept = Math.floor(frames.length / 2);
      const cut = frames[kept];
      if (cut === undefined) throw new Error('too few frames');
      const lost = frames.slice(kept).filter(({ path }) => path === cut.path);
      truncateSync(cut.path, cut.at + FRAME_HEADER_BYTES + 100);
      return lost.reduce((events, frame) => events + frame.events, 0);
    }),
  );

  fullOnly('costs nothing where it is the cursor', () =>
    play('cursor is garbage', [], (spool) => {
      writeFileSync(join(spool, 'cursor.file'), 'ktc-cursor 1 garbage');
      return 0;
    }),
  );
});

/** What the spool holds before the agent starts. */
const LARGE_BYTES = FULL ? 2 ** 31 : 2 ** 28;

describe.skipIf(missing)('a start', () => {
  it('with very much in the spool delivers all of it; its memory and time: bench/spool.ts', async () => {
    const sinkDisk = openDisk((2 * LARGE_BYTES) / MIB);
    const options = { sinkPath: join(sinkDisk.path, 'events.ndjson'), spool: { max_bytes: 2 * LARGE_BYTES } };
    try {
      await onStage(options, async (stage) => {
        sinkDisk.fill();
        const start = async () => {
          const began = performance.now();
          // With a full sink it is not ready; its endpoint is open when all the rest is.
          const { pid } = await stage.start({ awaitReady: false });
          await stage.says('telemetry endpoint is open');
          const milliseconds = performance.now() - began;
          await delay(1_000);
          return { milliseconds, memory: memoryOf(pid, 'VmHWM') };
        };
        const empty = await start();
        await stage.stop();
        const events = await fillSpool({ directory: stage.spool, sink: 'file', bytes: LARGE_BYTES });
        const full = await start();
        expect((await stage.account()).recovered).toBe(events);
        sinkDisk.free();
        const { found, peakMemory: draining } = await stage.finish();
        const figures = (of: typeof full) =>
          `${Math.round(of.memory / MIB)} MB and ${(of.milliseconds / 1_000).toFixed(1)} s`;
        tellRow({
          row: `start with ${LARGE_BYTES / MIB} MiB in the spool`,
          perSecond: 0,
          expected: `${events} events`,
          found: `${found.all.unique} events`,
          lost: {},
          doubled: found.all.doubled,
          peakMemory: draining,
          measured: `${figures(full)} until it runs, with an empty one ${figures(empty)}`,
        });
        expect(found.all.unique).toBe(events);
        expect(found.all.changed).toEqual([]);
      });
    } finally {
      sinkDisk.close();
    }
  });
});
