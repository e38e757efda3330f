/** The processes that a process has started. */
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { hasErrorCode } from '../../src/shared/errors.ts';

/** Whether it has ended, by itself or by a signal. */
export function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** Of the main thread of a process; empty when it has ended. */
export function childrenOf(pid: number): number[] {
  try {
    const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return list.split(' ').filter(Boolean).map(Number);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT', 'ESRCH')) return [];
    throw error;
  }
}

/** The children that keep the ftrace instance of an agent which has given root up. */
export function keepersOf(pid: number): number[] {
  return childrenOf(pid).filter((child) =>
    readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('ktc-instance-keeper'),
  );
}
