/** Parses the kernel's description of its records: events/<system>/<event>/format and events/header_page. */
import { ABSENT } from './record.ts';

export interface FieldFormat {
  /** Bytes from the start of the record (or, for the page header, of the page). */
  readonly offset: number;
  readonly size: number;
  readonly signed: boolean;
}

export interface EventFormat {
  readonly name: string;
  /** `common_type` of every record of this event. */
  readonly id: number;
  readonly fields: ReadonlyMap<string, FieldFormat>;
}

/** Field widths of the page header (`struct buffer_data_page`, kernel/trace/ring_buffer.c). */
export interface PageFormat {
  readonly timestamp: FieldFormat;
  readonly commit: FieldFormat;
  /** `offset` is where the records start, `offset + size` the size of a page. */
  readonly data: FieldFormat;
}

const FIELD =
  /^\s*field:(?<declaration>[^;]+);\s*offset:(?<offset>\d+);\s*size:(?<size>\d+);\s*signed:(?<signed>[01]);/;

function parseFields(text: string): Map<string, FieldFormat> {
  const fields = new Map<string, FieldFormat>();
  for (const line of text.split('\n')) {
    const groups = FIELD.exec(line)?.groups;
    if (groups === undefined) continue;
    const name = /(\w+)(\[[^\]]*\])?$/.exec(groups['declaration'] ?? '')?.[1];
    if (name === undefined) continue;
    fields.set(name, {
      offset: Number(groups['offset']),
      size: Number(groups['size']),
      signed: groups['signed'] === '1',
    });
  }
  return fields;
}

/** The offset of a field of this size in bytes; ABSENT if the event has no such field. */
export function offsetOf(format: EventFormat, name: string, size: number): number {
  const field = format.fields.get(name);
  return field !== undefined && field.size === size ? field.offset : ABSENT;
}

/** Parses an event's `format` file; null if the text is not one. */
export function parseEventFormat(text: string): EventFormat | null {
  const name = /^name: (\S+)$/m.exec(text)?.[1];
  const id = /^ID: (\d+)$/m.exec(text)?.[1];
  const fields = parseFields(text);
  if (name === undefined || id === undefined || !fields.has('common_type')) return null;
  return { name, id: Number(id), fields };
}

/** Parses `events/header_page`; null if the text is not one. */
export function parsePageFormat(text: string): PageFormat | null {
  const fields = parseFields(text);
  const timestamp = fields.get('timestamp');
  const commit = fields.get('commit');
  const data = fields.get('data');
  if (timestamp === undefined || commit === undefined || data === undefined) return null;
  return { timestamp, commit, data };
}
