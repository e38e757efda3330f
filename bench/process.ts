/** What processes have cost so far, from outside. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

export interface ThreadCost {
  readonly name: string;
  readonly cpuSeconds: number;
  /** How often it waited and was woken. */
  readonly wakeUps: number;
}

/** Threads that still run. The first field of schedstat is time on a CPU, user and system, in ns (sched-stats.rst). */
export function threadCosts(pid: number): ThreadCost[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const file = (name: string) => readFileSync(`/proc/${pid}/task/${thread}/${name}`, 'utf8');
    return {
      name: file('comm').trim(),
      cpuSeconds: Number(file('schedstat').split(' ')[0]) / 1e9,
      wakeUps: Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(file('status'))?.[1]),
    };
  });
}

/** CPU time of all threads that still run. */
export function cpuSeconds(pid: number): number {
  return threadCosts(pid).reduce((sum, thread) => sum + thread.cpuSeconds, 0);
}

/** Longer than any linger. */
const QUIET_INTERVAL_MS = 500;
/** An event loop that only waits uses less of a core. */
const QUIET_SHARE = 0.01;

/** Waits until a process has nothing more to do; gives the CPU time it has used by then. */
export async function cpuWhenQuiet(pid: number, deadlineMs = 60_000): Promise<number> {
  const deadline = performance.now() + deadlineMs;
  for (let before = cpuSeconds(pid); ; ) {
    await delay(QUIET_INTERVAL_MS);
    const now = cpuSeconds(pid);
    if (now - before < (QUIET_SHARE * QUIET_INTERVAL_MS) / 1000) return now;
    if (performance.now() > deadline) throw new Error(`process ${pid} is still busy after ${deadlineMs} ms`);
    before = now;
  }
}
