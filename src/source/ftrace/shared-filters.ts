/**
 * Finds out whose the filter of an event is.
 *
 * Since Linux 3.13 it belongs to an instance. Before, and on EL7, it belongs to the host: `event_filter_write` of
 * kernel/trace/trace_events.c sets it on the event itself, it decides for every tracer, and it stays when the instance
 * through which it was written is removed.
 */
import { readFileSync } from 'node:fs';
import { DONE, type Result, success } from '../../shared/result.ts';
import { type Instance, readSetting, writeSetting } from './instance.ts';

/** Every kernel has this event, and hardly anybody filters it. */
const WITNESS = 'events/task/task_newtask/filter';
/** True for every record, so it takes nothing from anybody whose filter it is too. */
const TRUE_FILTER = 'common_type != 0';
/** What the file of an event without a filter says. */
export const NO_FILTER = 'none';

function readHostFilter(tracefs: string): string | null {
  try {
    return readFileSync(`${tracefs}/${WITNESS}`, 'utf8').trim();
  } catch {
    return null;
  }
}

/** Whether a filter that is written in this instance is one of the whole host. Leaves all filters as they were. */
export function areFiltersShared(tracefs: string, instance: Instance): Result<boolean> {
  const own = readSetting(instance, WITNESS);
  // What cannot be told apart is left alone.
  if (own === null) return success(true);
  if (own !== readHostFilter(tracefs)) return success(false);
  // We have never written one, so this one came from the host.
  if (own !== NO_FILTER) return success(true);
  const written = writeSetting(instance, WITNESS, TRUE_FILTER);
  if (!written.ok) return written;
  const ofHost = readHostFilter(tracefs);
  // If ours is gone, somebody who finds out the same at this moment has removed it.
  const isOurs = readSetting(instance, WITNESS) === TRUE_FILTER;
  const removed = isOurs ? writeSetting(instance, WITNESS, '0') : DONE;
  return removed.ok ? success(ofHost !== NO_FILTER || !isOurs) : removed;
}
