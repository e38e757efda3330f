/** Enables the kernel's records of new and renamed tasks in an ftrace instance. */
import { DONE, type Result, refusal, success } from '../shared/result.ts';
import { parseEventFormat } from './decode/format.ts';
import { compileTaskEvent, TASK_EVENTS, type TaskEventReader } from './decode/task-events.ts';
import { type Instance, readSetting, writeSetting } from './ftrace/instance.ts';

export interface LiveTaskEvent {
  readonly name: (typeof TASK_EVENTS)[number];
  /** `<system>/<event>` below the instance's events/. */
  readonly event: string;
  /** The `common_type` of its records. */
  readonly type: number;
  readonly read: TaskEventReader;
  /** The text of its format file. */
  readonly format: string;
}

export interface TaskEvents {
  /** All of them, or none. */
  readonly events: readonly LiveTaskEvent[];
  /** Why none is enabled although they were asked for, in one line. */
  readonly problem: string | null;
}

/**
 * Enables both events, or neither: a half of the story would be wrong. `sharesFilters` as for probes: no filter is
 * written.
 */
export function enableTaskEvents(
  instance: Instance,
  { wanted, sharesFilters }: { wanted: boolean; sharesFilters: boolean },
): TaskEvents {
  const enabled = wanted ? enableAll(instance, sharesFilters) : success([]);
  if (enabled.ok && enabled.value.length > 0) return { events: enabled.value, problem: null };
  // A taken-over instance may have enabled them.
  for (const name of TASK_EVENTS) writeSetting(instance, `events/task/${name}/enable`, '0');
  return { events: [], problem: enabled.ok ? null : enabled.problem };
}

function enableAll(instance: Instance, sharesFilters: boolean): Result<LiveTaskEvent[]> {
  const events: LiveTaskEvent[] = [];
  for (const name of TASK_EVENTS) {
    const event = `task/${name}`;
    const format = readSetting(instance, `events/${event}/format`) ?? '';
    const parsed = parseEventFormat(format);
    if (parsed === null) return refusal(`this kernel has no event task:${name}`);
    const compiled = compileTaskEvent(name, parsed);
    if (!compiled.ok) return compiled;
    const unfiltered = sharesFilters ? DONE : writeSetting(instance, `events/${event}/filter`, '0');
    const enabled = unfiltered.ok ? writeSetting(instance, `events/${event}/enable`, '1') : unfiltered;
    if (!enabled.ok) return enabled;
    events.push({ name, event, type: parsed.id, read: compiled.value, format });
  }
  return success(events);
}
