/** Enables the kernel's records of new and renamed tasks in an ftrace instance. */
import { type Result, success } from '../shared/result.ts';
import { compileTaskEvent, TASK_EVENTS, type TaskEventReader } from './decode/task-events.ts';
import { describeEvent, disableEvent, enableEvent } from './ftrace/events.ts';
import type { Instance } from './ftrace/instance.ts';

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
  for (const name of TASK_EVENTS) disableEvent(instance, `task/${name}`);
  return { events: [], problem: enabled.ok ? null : enabled.problem };
}

function enableAll(instance: Instance, sharesFilters: boolean): Result<LiveTaskEvent[]> {
  const events: LiveTaskEvent[] = [];
  for (const name of TASK_EVENTS) {
    const event = `task/${name}`;
    const described = describeEvent(instance, event);
    if (!described.ok) return described;
    const { text, format } = described.value;
    const compiled = compileTaskEvent(name, format);
    if (!compiled.ok) return compiled;
    const enabled = enableEvent(instance, event, sharesFilters ? null : '');
    if (!enabled.ok) return enabled;
    events.push({ name, event, type: format.id, read: compiled.value, format: text });
  }
  return success(events);
}
