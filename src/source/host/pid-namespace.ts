/**
 * Records have the numbers of the initial pid namespace. A process in another one has its own numbers, and so has its
 * /proc: there, the number of a record would name the wrong process.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { isSystemError } from '../../shared/errors.ts';
import { type Opened, refusal, success } from '../../shared/result.ts';
import { randomName } from '../../shared/text.ts';
import {
  openPrivateInstance,
  privateNames,
  removeInstance,
  removeStaleInstances,
} from '../ftrace/instance.ts';

/** PROC_PID_INIT_INO (include/linux/proc_ns.h), the same since Linux 3.8. */
const INITIAL_NAMESPACE = 0xeffffffc;
/** A line of `trace` begins with the name in 16 columns and a dash (kernel/trace/trace_output.c, `trace_print_context`). */
const NUMBER_COLUMN = 17;
const INSTANCE = 'ktc-pid';
const OF_KILLED = privateNames(INSTANCE);

/** Whether the numbers of /proc are those of records. */
export function isInitialPidNamespace(path = '/proc/self/ns/pid'): boolean {
  try {
    return statSync(path).ino === INITIAL_NAMESPACE;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    // A kernel without pid namespaces.
    return true;
  }
}

/** The number that records have for this process. */
export function findOwnPid(tracefs: string): Opened<number> {
  if (isInitialPidNamespace()) return success(process.pid);
  try {
    return askKernel(tracefs);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return cannotTell(error.message);
  }
}

/** Makes a record with a text of our own, and looks which number the kernel gave it. */
function askKernel(tracefs: string): Opened<number> {
  removeStaleInstances(tracefs, OF_KILLED);
  const opened = openPrivateInstance(tracefs, INSTANCE);
  if (!opened.ok) return opened;
  const instance = opened.value;
  try {
    const text = `${randomName()}${randomName()}`;
    writeFileSync(`${instance.path}/trace_marker`, text);
    const lines = readFileSync(`${instance.path}/trace`, 'latin1').split('\n');
    const line = lines.find((each) => each.includes(`: ${text}`)) ?? '';
    const pid = Number.parseInt(line.slice(NUMBER_COLUMN), 10);
    return pid > 0 ? success(pid) : cannotTell('its own record is not in the trace');
  } finally {
    // If it cannot be removed now, the next start removes it.
    removeInstance(instance);
    instance.release();
  }
}

function cannotTell(reason: string) {
  return refusal(
    `this process is in a pid namespace of its own, and the kernel does not tell its number outside (${reason}): run it in the host's, as with docker run --pid=host`,
  );
}
