/** bpftrace printing the same events as JSON, while they happen. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, createReadStream, mkdtempSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hasEnded } from '../../test/support/children.ts';
import { cpuSeconds, cpuWhenQuiet } from '../process.ts';
import type { ReaderResult } from './reader.ts';

export interface Bpftrace {
  /** Waits until it has printed everything, and ends it. */
  finish(): Promise<ReaderResult>;
  /** Ends it, whatever it is doing. */
  close(): Promise<void>;
}

/** 16 MiB a CPU: nothing may be lost. */
const ENVIRONMENT = { BPFTRACE_PERF_RB_PAGES: '4096' };

const END_AGAIN_MS = 1_000;

async function countLines(path: string, start: string): Promise<number> {
  let lines = 0;
  let rest = '';
  for await (const chunk of createReadStream(path, 'latin1')) {
    const text: string = rest + chunk;
    const parts = text.split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) if (part.startsWith(start)) lines++;
  }
  return lines;
}

/** Starts it; resolves when it is attached. */
export async function startBpftrace(): Promise<Bpftrace> {
  // In memory: writing there costs it as little as writing to /dev/null, and its events can be counted.
  const directory = mkdtempSync('/dev/shm/ktc-bench-');
  const path = join(directory, 'events.ndjson');
  const output = openSync(path, 'w');
  const child = spawn('bpftrace', ['-B', 'full', '--unsafe', join(import.meta.dirname, 'state.bt')], {
    stdio: ['ignore', output, 'pipe'],
    env: { ...process.env, ...ENVIRONMENT },
  });
  closeSync(output);
  let complaints = '';
  const attached = new Promise<void>((resolve, reject) => {
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaints += text;
      if (complaints.includes('attached\n')) resolve();
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`bpftrace ended: ${complaints}`)));
  });
  await attached;
  const pid = child.pid ?? 0;
  const startSeconds = cpuSeconds(pid);
  const end = async (): Promise<void> => {
    if (hasEnded(child)) return;
    const exit = once(child, 'exit');
    child.kill('SIGINT');
    // One that comes between bpftrace's look at its flag and its wait is forgotten until the next event.
    const again = setInterval(() => child.kill('SIGINT'), END_AGAIN_MS);
    await exit;
    clearInterval(again);
  };
  return {
    async finish() {
      const used = await cpuWhenQuiet(pid);
      await end();
      const events = await countLines(path, '{"event"');
      const whole = { records: events, events, cpuSeconds: used };
      return { whole, warm: { ...whole, cpuSeconds: used - startSeconds } };
    },
    async close() {
      await end();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
