/** Where ftrace's files are on this host; mounts them where nobody has done so yet. */
import { existsSync, readFileSync } from 'node:fs';
import { openTracefs } from '../../src/source/ftrace/tracefs.ts';

const tracefs = openTracefs();

/** Why kernel events cannot be read here, in one line; null when they can. */
export const noTracefsReason: string | null = tracefs.ok ? null : tracefs.problem;

/** Nowhere, where kernel events cannot be read. */
export const TRACING = tracefs.ok ? tracefs.value : '/nowhere';
export const INSTANCES = `${TRACING}/instances`;

/** Whether an instance records an event, such as `sock/inet_sock_set_state`; false where there is no such instance. */
export function isEnabled(instance: string, event: string): boolean {
  const file = `${INSTANCES}/${instance}/events/${event}/enable`;
  return existsSync(file) && readFileSync(file, 'utf8') === '1\n';
}
