/** The fault matrix, the agent: killed, ended and stopped under load, short of files and of memory. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { whyNoAgent } from '../../support/agent.ts';
import { noNetworkReason } from '../../support/network.ts';
import { until } from '../../support/wait.ts';
import { openDisk } from './disk.ts';
import { expectExact } from './exact.ts';
import { FULL } from './row.ts';
import { onStage, type Stage } from './stage.ts';

const missing = whyNoAgent() ?? noNetworkReason;
if (missing) console.warn(`skipped: faults of the agent: ${missing}`);

const KILLS = FULL ? 100 : 6;
/** A start takes 0.3 to 1 s, in which records wait in the kernel. */
const LONGEST_RUN_MS = 1_000;
/** What is read at once: 32 pages of some 53 records each when the agent is catching up, and two per CPU when it takes over. */
const RECORDS_AT_ONCE = 2_000;
const STOPPED_MS = FULL ? 30_000 : 4_000;
/** The least that is allowed, some 800 records per CPU: a third of a second. */
const SMALL_BUFFER_KB = 64;

/** Starts an agent and kills it at a random moment after it has begun to read. */
async function startAndKill(stage: Stage): Promise<void> {
  await stage.start({ awaitReady: false });
  await stage.says('reading kernel events');
  await delay(Math.random() * LONGEST_RUN_MS);
  await stage.stop('SIGKILL');
}

function distribution(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
  return `${at(0.5)}, ${at(0.9)}, ${at(1)}`;
}

describe.skipIf(missing)('what a killed agent has not spooled is counted to the unit', () => {
  it.each([1_000, 0])(
    `killed -9 at ${KILLS} random moments, fsync_interval_ms %i`,
    { timeout: 10_000 * (KILLS + 10) },
    (interval) =>
      onStage({ spool: { fsync_interval_ms: interval } }, async (stage) => {
        await stage.start();
        await stage.traffic();
        await stage.delivers(1_000);
        await stage.stop('SIGKILL');
        for (let kills = 1; kills < KILLS; kills++) await startAndKill(stage);
        await stage.start();
        const ending = await stage.finish();
        expect(ending.kills).toBe(KILLS);
        const counts = Array.from({ length: KILLS }, (_, index) => ending.crashes[index] ?? 0);
        expectExact(`killed -9 ${KILLS} times, fsync_interval_ms ${interval}`, ending, {
          reasons: ['crash'],
          measured: `records lost per kill (median, 90th percentile, maximum): ${distribution(counts)}`,
        });
        expect(Math.max(...counts)).toBeLessThanOrEqual(RECORDS_AT_ONCE);
      }),
  );
});

describe.skipIf(missing)('nothing is lost when the agent', () => {
  it('is ended under load while its sink takes nothing', async () => {
    const disk = openDisk(128);
    try {
      await onStage({ sinkPath: join(disk.path, 'events.ndjson'), shutdownSeconds: 1 }, async (stage) => {
        await stage.start();
        await stage.traffic();
        await stage.delivers(1_000);
        disk.fill();
        await stage.spools(5_000);
        expect(await stage.stop()).toBe(0);
        disk.free();
        await stage.start();
        const { recovered } = await stage.account();
        expect(recovered).toBeGreaterThan(5_000);
        await stage.delivers(recovered);
        const ending = await stage.finish();
        expectExact('SIGTERM under load, sink down, delivered by the next run', ending, {
          kernelIsGone: true,
          measured: `${recovered} events from the spool`,
        });
      });
    } finally {
      disk.close();
    }
  });

  it('has no file descriptors left', () =>
    // Files of 1 MiB: another one twice per second.
    onStage({ spool: { max_bytes: 16 * 2 ** 20 } }, async (stage) => {
      const { pid } = await stage.start();
      await stage.traffic();
      await stage.delivers(1_000);
      const limitFiles = (most: number) =>
        execFileSync('prlimit', ['--pid', String(pid), `--nofile=${most}:4096`]);
      await until(() => {
        // Again and again: what it has open for a moment only leaves its number free.
        limitFiles(lowestFreeDescriptor(pid));
        return stage.log().includes('too many open files');
      }, 'the agent to have too many open files');
      await delay(FULL ? 10_000 : 1_000);
      limitFiles(4096);
      await stage.delivers(10_000);
      const ending = await stage.finish();
      expectExact('no file descriptors left for a while', ending);
    }));

  it('was stopped, and the kernel overwrites what it does not read', () =>
    onStage({ source: { buffer_kb: SMALL_BUFFER_KB } }, async (stage) => {
      const { process: child } = await stage.start();
      await stage.traffic();
      await stage.delivers(1_000);
      child.kill('SIGSTOP');
      await delay(STOPPED_MS);
      child.kill('SIGCONT');
      await stage.delivers(5_000);
      const ending = await stage.finish();
      const losses = expectExact(
        `SIGSTOP for ${STOPPED_MS / 1_000} s, kernel buffer of 64 KiB per CPU`,
        ending,
        {
          reasons: ['kernel_overrun'],
        },
      );
      expect(losses['kernel_overrun']).toBeGreaterThan(1_000);
    }));
});

const MEMORY_GROUPS = '/sys/fs/cgroup/memory';
/** More than the agent needs. */
const LIMIT_MIB = 192;
const noMemoryLimit = noMemoryGroup();
if (noMemoryLimit) console.warn(`skipped: the agent out of memory: ${noMemoryLimit}`);

describe.skipIf(missing ?? noMemoryLimit)('an agent that the kernel kills', () => {
  it('for want of memory is as one that is killed', async () => {
    const group = join(MEMORY_GROUPS, `ktc-test-${process.pid}`);
    mkdirSync(group);
    const enter = ['sh', '-c', 'echo $$ >"$0/cgroup.procs"; exec "$@"', group];
    try {
      await onStage({}, async (stage) => {
        const victim = await stage.start({ prefix: enter });
        await stage.traffic();
        await stage.delivers(1_000);
        // Another process takes more than there is; the kernel is told to kill the agent for it first.
        writeFileSync(`/proc/${victim.pid}/oom_score_adj`, '1000');
        writeFileSync(join(group, 'memory.limit_in_bytes'), String(LIMIT_MIB * 2 ** 20));
        const [command = '', ...words] = [
          ...enter,
          'dd',
          'if=/dev/zero',
          'of=/dev/null',
          `bs=${2 * LIMIT_MIB}M`,
          'count=1',
        ];
        const hog = spawn(command, words, { stdio: 'ignore' });
        const hogEnded = once(hog, 'exit');
        await until(() => victim.process.signalCode !== null, 'the kernel to kill the agent');
        await hogEnded;
        expect(victim.process.signalCode).toBe('SIGKILL');
        await stage.stop();
        await stage.start();
        await stage.delivers(1_000);
        expectExact('out of memory (cgroup limit), killed by the kernel', await stage.finish(), {
          reasons: ['crash'],
        });
      });
    } finally {
      rmdirSync(group);
    }
  });
});

/** Why memory cannot be limited here, or null. Version 1 of the interface is what EL7 has. */
function noMemoryGroup(): string | null {
  const probe = join(MEMORY_GROUPS, `ktc-test-probe-${process.pid}`);
  try {
    mkdirSync(probe);
    rmdirSync(probe);
    return null;
  } catch {
    return `no memory controller in ${MEMORY_GROUPS}`;
  }
}

/** The number that the next file would get. */
function lowestFreeDescriptor(pid: number): number {
  const taken = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  for (let number = 0; ; number++) if (!taken.has(number)) return number;
}
