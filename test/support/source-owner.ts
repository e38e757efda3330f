/**
 * A process that runs nothing but a live source, to be measured or killed. Takes its options as JSON, answers each
 * line of its standard input, `usage` or `stop`, with a line of JSON, and ends with its standard input.
 */
import { createInterface } from 'node:readline';
import { type KernelSourceOptions, openKernelSource } from '../../src/source/kernel.ts';
import { handlerOf } from './record-handler.ts';

export interface OwnerOptions {
  readonly source: KernelSourceOptions;
  /** False leaves every record in the kernel. */
  readonly ready: boolean;
}

export interface OwnerUsage {
  readonly records: number;
  readonly lost: number;
  readonly cpuMs: number;
}

const { source: options, ready } = JSON.parse(process.argv[2] ?? '') as OwnerOptions;
const opened = openKernelSource(options);
if (!opened.ok) throw new Error(opened.problem);
let records = 0;
let lost = 0;
const done = opened.value.run(
  handlerOf({
    ready: () => ready,
    record: () => records++,
    lost(_, count) {
      lost += count;
    },
  }),
);

function tell(): void {
  const { user, system } = process.cpuUsage();
  const usage: OwnerUsage = { records, lost, cpuMs: (user + system) / 1000 };
  process.stdout.write(`${JSON.stringify(usage)}\n`);
}

tell();
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'stop') break;
  tell();
}
await opened.value.stop();
await done;
tell();
process.stdin.destroy();
