/** Trace events of an instance. Each is called `<system>/<event>`, as below `events/` of the instance. */
import { DONE, type Result, refusal, success } from '../../shared/result.ts';
import { type EventFormat, parseEventFormat } from '../decode/format.ts';
import { type Instance, readSetting, writeSetting } from './instance.ts';

export interface DescribedEvent {
  /** The text of its format file, and what it says. */
  readonly text: string;
  readonly format: EventFormat;
}

/** Reads how the records of an event look. Refused where this kernel has no such event. */
export function describeEvent(instance: Instance, event: string): Result<DescribedEvent> {
  const text = readSetting(instance, `events/${event}/format`) ?? '';
  const format = parseEventFormat(text);
  if (format === null) return refusal(`this kernel has no event ${event.replace('/', ':')}`);
  return success({ text, format });
}

/** Enables an event. `filter` is empty for none, and null to leave the filter as it is. */
export function enableEvent(instance: Instance, event: string, filter: string | null): Result {
  // Writing 0 removes a filter.
  const written =
    filter === null ? DONE : writeSetting(instance, `events/${event}/filter`, filter === '' ? '0' : filter);
  return written.ok ? writeSetting(instance, `events/${event}/enable`, '1') : written;
}

/** Disables an event; one that this kernel lacks is disabled already. */
export function disableEvent(instance: Instance, event: string): void {
  writeSetting(instance, `events/${event}/enable`, '0');
}
