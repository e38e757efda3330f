/**
 * Watches what keeps records from being made and is not ours to change: it belongs to the whole host. An agent that sees
 * no records looks like a host without traffic, so each of these is told.
 */
import { readFileSync } from 'node:fs';
import { isSystemError } from '../../shared/errors.ts';
import { keepFile } from '../kept-open-file.ts';
import type { Instance } from './instance.ts';
import { mayLeaveOut } from './shared-filters.ts';

export interface Disturbances {
  /** What keeps records from being made at this moment, one line each. */
  look(): readonly string[];
  close(): void;
}

export interface WatchOptions {
  readonly instance: Instance;
  /** `<system>/<event>` of the events whose filter is not ours, because filters are shared on this kernel. */
  readonly sharedFilters: readonly string[];
  /** The records come from functions that ftrace has patched. Native tracepoints do without. */
  readonly needsFtrace: boolean;
}

const FTRACE_ENABLED = '/proc/sys/kernel/ftrace_enabled';

/** Why ftrace calls nobody at this moment, in one line; null if it works. */
export function ftraceProblem(path = FTRACE_ENABLED): string | null {
  try {
    if (readFileSync(path, 'utf8').trim() !== '0') return null;
    return 'kernel.ftrace_enabled is 0, so tcp_trace.ko sees nothing: set it to 1';
  } catch (error) {
    // `ftrace_enable_sysctl` of kernel/trace/ftrace.c, once `ftrace_kill` has run.
    if (!isSystemError(error) || error.code !== 'ENODEV') return null;
    return 'ftrace has switched itself off after a fault (see dmesg), so tcp_trace.ko sees nothing until a reboot';
  }
}

/** Opens the files that it looks at, because later this process may not be allowed to. */
export function watchDisturbances({ instance, sharedFilters, needsFtrace }: WatchOptions): Disturbances {
  const filters = sharedFilters.map((event) => {
    const path = `${instance.path}/events/${event}/filter`;
    return { event: event.replace('/', ':'), path, kept: keepFile(path, 'read') };
  });
  function foreignFilters(): string[] {
    return filters.flatMap(({ event, path, kept }) => {
      const filter = kept?.read()?.trim();
      if (filter === undefined || !mayLeaveOut(filter)) return [];
      return [`another program has filtered ${event} for the whole host, to ${filter}: echo 0 > ${path}`];
    });
  }
  return {
    look() {
      const problem = needsFtrace ? ftraceProblem() : null;
      return [...(problem === null ? [] : [problem]), ...foreignFilters()];
    },
    close() {
      for (const { kept } of filters) kept?.close();
    },
  };
}
