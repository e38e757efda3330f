/** A reader of kernel events as a process of its own, so that its CPU time is its own. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { NODE_FLAGS } from '../../scripts/bundle.ts';
import { hasEnded } from '../../test/support/children.ts';

export interface Cost {
  /** Kernel records read. */
  readonly records: number;
  /** JSON objects made of them. */
  readonly events: number;
  /** User and system time; the kernel's part of reading included. */
  readonly cpuSeconds: number;
}

export interface ReaderResult {
  /** From the first read on. */
  readonly whole: Cost;
  /** Without the first fifth, in which Node.js compiles. */
  readonly warm: Cost;
}

export interface Reader {
  /** Reads what the instance holds: so many records. */
  read(records: number): Promise<ReaderResult>;
  /** Ends it, whatever it is doing. */
  close(): Promise<void>;
}

/** Starts `program`, which makes the ftrace instance `instance`. Resolves when the kernel records into it. */
export async function startReader(program: string, instance: string, bufferKb: number): Promise<Reader> {
  const child = fork(join(import.meta.dirname, program), [instance, String(bufferKb)], {
    execArgv: ['--no-warnings', ...NODE_FLAGS],
  });
  const answer = async (): Promise<unknown> => {
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`${program} ended with ${String(code)}`);
    });
    const [message] = (await Promise.race([once(child, 'message'), ended])) as [unknown];
    return message;
  };
  await answer();
  return {
    async read(records) {
      child.send(records);
      return (await answer()) as ReaderResult;
    },
    async close() {
      if (hasEnded(child)) return;
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    },
  };
}

/** The other side: says that it records, waits for the word, reads, answers. */
export async function serveReader(
  read: (records: number) => Promise<ReaderResult> | ReaderResult,
): Promise<void> {
  process.send?.('recording');
  const [records] = (await once(process, 'message')) as [number];
  process.send?.(await read(records));
}

/**
 * Keeps the account of a reading: told how far it has come, it tells what each part has cost. The clock of the CPU is
 * read only at the two ends, because reading it costs more than an event.
 */
export function measureReading(records: number): {
  progress(done: Omit<Cost, 'cpuSeconds'>): void;
  result(): ReaderResult;
} {
  const start = process.cpuUsage();
  const costOf = (done: Omit<Cost, 'cpuSeconds'>): Cost => {
    const { user, system } = process.cpuUsage(start);
    return { ...done, cpuSeconds: (user + system) / 1e6 };
  };
  let warmUp: Cost | null = null;
  let whole: Cost | null = null;
  return {
    progress(done) {
      if (warmUp === null && done.records >= records / 5) warmUp = costOf(done);
      if (done.records >= records) whole = costOf(done);
    },
    result() {
      if (warmUp === null || whole === null) throw new Error(`the reading ended before ${records} records`);
      const warm = {
        records: whole.records - warmUp.records,
        events: whole.events - warmUp.events,
        cpuSeconds: whole.cpuSeconds - warmUp.cpuSeconds,
      };
      return { whole, warm };
    },
  };
}
