/**
 * A fleet of simulated hosts: the agent's own pipeline and Kafka client, many to a process, with the records of a recording.
 *
 *     const fleet = await startSimulatedFleet({ hosts: 1000, processes: 4, recordsPerSecond: 3, brokers, topic });
 *     …                                        // every agent has delivered something
 *     const reports = await fleet.stop();      // each event that was emitted is acknowledged
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { WorkerOptions, WorkerReport } from './worker.ts';

const WORKER = join(import.meta.dirname, 'worker.ts');

export interface FleetOptions
  extends Pick<WorkerOptions, 'hosts' | 'brokers' | 'topic' | 'recordsPerSecond' | 'lingerMs'> {
  readonly processes: number;
}

export interface SimulatedFleet {
  /** What each process has done so far. */
  report(): Promise<WorkerReport[]>;
  /** Stops every agent; each delivers what it has. The reports are the last. */
  stop(): Promise<WorkerReport[]>;
  kill(): void;
}

interface Worker {
  readonly process: ChildProcess;
  /** Its next report; `ask` for one first, or the end of its input. */
  next(): Promise<WorkerReport>;
}

function startWorker(options: WorkerOptions): Worker {
  const child = spawn(process.execPath, ['--no-warnings', WORKER, JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    process: child,
    async next() {
      const line = await lines.next();
      if (line.done === true)
        throw new Error(`a process of the simulated fleet has ended: ${child.exitCode}`);
      return JSON.parse(line.value) as WorkerReport;
    },
  };
}

/** Resolves when every agent has delivered something. */
export async function startSimulatedFleet({ processes, ...shared }: FleetOptions): Promise<SimulatedFleet> {
  const { hosts } = shared;
  const firstOf = (index: number): number => Math.floor((hosts * index) / processes);
  const workers = Array.from({ length: processes }, (_, index) => {
    const first = firstOf(index);
    return startWorker({ ...shared, first, count: firstOf(index + 1) - first });
  });
  const reports = () => Promise.all(workers.map((worker) => worker.next()));
  const kill = () => {
    for (const worker of workers) worker.process.kill('SIGKILL');
  };
  process.once('exit', kill);
  try {
    await reports();
  } catch (error) {
    kill();
    throw error;
  }
  return {
    report() {
      for (const worker of workers) worker.process.stdin?.write('\n');
      return reports();
    },
    async stop() {
      const exits = workers.map((worker) => once(worker.process, 'exit'));
      for (const worker of workers) worker.process.stdin?.end();
      const last = await reports();
      await Promise.all(exits);
      process.off('exit', kill);
      return last;
    },
    kill,
  };
}
