/** The lists and objects in the JSON of a host_status as OTLP values. They are rare, so this makes objects of them. */
import { CHARACTER, escapedStringEnd, unreadable } from './scan.ts';
import { anyValue, type Value } from './wire.ts';

export interface Container {
  /** The message AnyValue. */
  readonly value: Buffer;
  /** The offset behind it in the JSON. */
  readonly end: number;
}

/** Reads the list or object that begins at `from`. */
export function readContainer(bytes: Buffer, from: number): Container {
  const end = containerEnd(bytes, from);
  const value: unknown = JSON.parse(bytes.toString('utf8', from, end));
  if (!isValue(value)) throw unreadable(bytes, from);
  return { value: anyValue(value), end };
}

function containerEnd(bytes: Buffer, from: number): number {
  let depth = 0;
  for (let at = from; at < bytes.length; at++) {
    switch (bytes[at]) {
      case CHARACTER.quote:
        at = escapedStringEnd(bytes, at + 1);
        break;
      case CHARACTER.openingBrace:
      case CHARACTER.openingBracket:
        depth++;
        break;
      case CHARACTER.closingBrace:
      case CHARACTER.closingBracket:
        if (--depth === 0) return at + 1;
    }
  }
  throw unreadable(bytes, from);
}

/** Texts in lists, whole numbers in objects, and objects of these: an event of ours holds nothing else. */
function isValue(value: unknown): value is Value {
  if (typeof value !== 'object' || value === null) return Number.isSafeInteger(value) && Number(value) >= 0;
  return Array.isArray(value)
    ? value.every((item) => typeof item === 'string')
    : Object.values(value).every(isValue);
}
