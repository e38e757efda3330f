/** Runs the programs that packages are made with. */
import { spawnSync } from 'node:child_process';

/** A fault of the world that a person has to see as one line, without a stack. */
export class PackagingFault extends Error {}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program to its end and gives its standard output. Throws a `PackagingFault` with what it said where it fails. */
export function run(program: string, args: readonly string[], { cwd, env = {} }: RunOptions = {}): string {
  const result = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, LC_ALL: 'C', TZ: 'UTC', ...env },
    ...(cwd !== undefined && { cwd }),
  });
  if (result.error !== undefined) throw new PackagingFault(`${program}: ${result.error.message}`);
  if (result.status !== 0)
    throw new PackagingFault(
      `${program} ${args.join(' ')} ended with ${result.status}:\n${result.stderr.trim().slice(0, 2000)}`,
    );
  return result.stdout;
}
