/**
 * Finds out whose the filter of an event is.
 *
 * Since Linux 3.13 it belongs to an instance. Before, and on EL7, it belongs to the host: `event_filter_write` of
 * kernel/trace/trace_events.c sets it on the event itself, it decides for every tracer, and it stays when the instance
 * through which it was written is removed.
 */
import { DONE, type Result, success } from '../../shared/result.ts';
import { tryReadText } from '../../shared/try-read.ts';
import { type Instance, readSetting, writeSetting } from './instance.ts';

/** Every kernel has this event, and hardly anybody filters it. */
const WITNESS = 'events/task/task_newtask/filter';
/** True for every record, so it takes nothing from anybody whose filter it is too. */
const ALWAYS_TRUE = 'common_type != 0 || common_pid == ';
/**
 * The number is there so that no other process writes the same; process ids are no such numbers, because containers have
 * their own.
 */
const OUR_FILTER = `${ALWAYS_TRUE}${Math.floor(Math.random() * 2 ** 31)}`;
/** What the file of an event without a filter says. */
const NO_FILTER = 'none';

/** Whether records may be left out by what the file of a filter says: not by that of a process that finds out the same. */
export function mayLeaveOut(filter: string): boolean {
  return filter !== NO_FILTER && !filter.startsWith(ALWAYS_TRUE);
}

function readHostFilter(tracefs: string): string | null {
  return tryReadText(`${tracefs}/${WITNESS}`)?.trim() ?? null;
}

/**
 * Whether the instance still has this filter after the host was seen to have another one. With one filter for all that
 * cannot be, however many processes find out the same at this moment: a filter that was replaced does not come back.
 */
function standsApart(tracefs: string, instance: Instance, filter: string): boolean {
  return readHostFilter(tracefs) !== filter && readSetting(instance, WITNESS) === filter;
}

/** Whether a filter that is written in this instance is one of the whole host. Leaves all filters as they were. */
export function areFiltersShared(tracefs: string, instance: Instance): Result<boolean> {
  const own = readSetting(instance, WITNESS);
  // What cannot be told apart is left alone.
  if (own === null) return success(true);
  if (own !== NO_FILTER) return success(!standsApart(tracefs, instance, own));
  const written = writeSetting(instance, WITNESS, OUR_FILTER);
  if (!written.ok) return written;
  const isShared = !standsApart(tracefs, instance, OUR_FILTER);
  // If ours is gone, another process that finds out the same has replaced it, and removes its own.
  const isOurs = readSetting(instance, WITNESS) === OUR_FILTER;
  const removed = isOurs ? writeSetting(instance, WITNESS, '0') : DONE;
  return removed.ok ? success(isShared) : removed;
}
