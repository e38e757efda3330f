/** Looks at where the agent runs, before anything is made: what it needs of the host is there, or one line says what is not. */
import type { Opened } from '../../shared/result.ts';
import { checkDescriptors } from '../../source/ftrace/descriptors.ts';
import { openTracefs } from '../../source/ftrace/tracefs.ts';
import { checkProc } from '../../source/host/identity.ts';

/** Gives the kernel's tracing directory. */
export function checkSurroundings(): Opened<string> {
  const proc = checkProc();
  if (!proc.ok) return proc;
  const tracefs = openTracefs();
  if (!tracefs.ok) return tracefs;
  const descriptors = checkDescriptors(tracefs.value);
  return descriptors.ok ? tracefs : descriptors;
}
