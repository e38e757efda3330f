/** Keeps what else happens on this machine out of a measurement. */
import { PROBES } from '../src/source/probes.ts';

/** `source.probes` that record only what happens while a process of this name is on the CPU. */
export function probesOf(comm: string): object {
  return Object.fromEntries(PROBES.map((name) => [name, { filter: `comm == "${comm}"` }]));
}
