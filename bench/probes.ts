/** Keeps what else happens on this machine out of a measurement. */
import { mapProbes } from '../src/source/probes.ts';

/** `source.probes` that record only what happens while a process of this name is on the CPU. */
export function probesOf(comm: string): object {
  return mapProbes(() => ({ filter: `comm == "${comm}"` }));
}
