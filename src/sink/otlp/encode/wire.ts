/**
 * OTLP's messages as bytes (opentelemetry/proto, common/v1, resource/v1, logs/v1), fields in the order of their numbers,
 * except for LogRecord, whose order is that of OpenTelemetry's own serializer.
 */

export const WIRE = { varint: 0, fixed64: 1, bytes: 2 } as const;

export function tag(field: number, wire: number): number {
  return field * 8 + wire;
}

/** Bytes of a whole number ≥ 0 as a varint. */
export function varintLength(value: number): number {
  let length = 1;
  for (let limit = 128; value >= limit; limit *= 128) length++;
  return length;
}

/** Writes a whole number ≥ 0; gives the offset behind it. */
export function writeVarint(out: Uint8Array, at: number, value: number): number {
  let end = at;
  let rest = value;
  // Bit operations are for 31 bits.
  for (; rest >= 2 ** 31; rest = Math.floor(rest / 128)) out[end++] = (rest % 128) | 128;
  for (; rest >= 128; rest >>>= 7) out[end++] = (rest & 127) | 128;
  out[end++] = rest;
  return end;
}

/** The head of a field that holds so many bytes: a message, a string or bytes. */
export function fieldHead(field: number, length: number): Buffer {
  const head = Buffer.alloc(1 + varintLength(length));
  head[0] = tag(field, WIRE.bytes);
  writeVarint(head, 1, length);
  return head;
}

export function lengthDelimited(field: number, ...parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([fieldHead(field, length), ...parts]);
}

export function textField(field: number, text: string): Buffer {
  return lengthDelimited(field, Buffer.from(text));
}

export function integerField(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(1 + varintLength(value));
  bytes[0] = tag(field, WIRE.varint);
  writeVarint(bytes, 1, value);
  return bytes;
}

/** AnyValue: 1 string_value, 3 int_value, 5 array_value, 6 kvlist_value. */
const STRING_VALUE = 1;
const INT_VALUE = 3;
const ARRAY_VALUE = 5;
const KVLIST_VALUE = 6;

/** What `anyValue` takes. */
export type Value = string | number | readonly Value[] | { readonly [name: string]: Value };

/** AnyValue, the message itself. Numbers are whole. */
export function anyValue(value: Value): Buffer {
  if (typeof value === 'string') return textField(STRING_VALUE, value);
  if (typeof value === 'number') return integerField(INT_VALUE, value);
  const [field, items] = isList(value)
    ? [ARRAY_VALUE, value.map((item) => lengthDelimited(1, anyValue(item)))]
    : [KVLIST_VALUE, Object.entries(value).map(([name, item]) => attribute(1, name, item))];
  return lengthDelimited(field, ...items);
}

function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** KeyValue, as field `field` of what has it: 1 key, 2 value. */
export function attribute(field: number, name: string, value: Value): Buffer {
  return lengthDelimited(field, textField(1, name), lengthDelimited(2, anyValue(value)));
}

/** Field of LogRecord for its attributes. */
export const RECORD_ATTRIBUTES = 6;
const ATTRIBUTE_TAG = tag(RECORD_ATTRIBUTES, WIRE.bytes);
const VALUE_TAG = tag(2, WIRE.bytes);
const STRING_TAG = tag(STRING_VALUE, WIRE.bytes);
const INT_TAG = tag(INT_VALUE, WIRE.varint);

/** An attribute of a LogRecord whose value is the UTF-8 text in `bytes[from .. to)`; `name` is its name as a field. */
export function writeTextAttribute(
  out: Uint8Array,
  at: number,
  name: Uint8Array,
  bytes: Uint8Array,
  from: number,
  to: number,
): number {
  const value = 1 + varintLength(to - from) + (to - from);
  let end = writeAttributeHead(out, at, name, value);
  out[end++] = STRING_TAG;
  end = writeVarint(out, end, to - from);
  for (let index = from; index < to; index++) out[end++] = bytes[index] as number;
  return end;
}

/** The same for a whole number ≥ 0. */
export function writeIntegerAttribute(out: Uint8Array, at: number, name: Uint8Array, value: number): number {
  const end = writeAttributeHead(out, at, name, 1 + varintLength(value));
  out[end] = INT_TAG;
  return writeVarint(out, end + 1, value);
}

/** The same for any value, as the message AnyValue. */
export function writeMessageAttribute(
  out: Uint8Array,
  at: number,
  name: Uint8Array,
  value: Uint8Array,
): number {
  const end = writeAttributeHead(out, at, name, value.length);
  out.set(value, end);
  return end + value.length;
}

function writeAttributeHead(out: Uint8Array, at: number, name: Uint8Array, valueLength: number): number {
  out[at] = ATTRIBUTE_TAG;
  let end = writeVarint(out, at + 1, name.length + 1 + varintLength(valueLength) + valueLength);
  for (let index = 0; index < name.length; index++) out[end++] = name[index] as number;
  out[end++] = VALUE_TAG;
  return writeVarint(out, end, valueLength);
}

/** A fixed64 of a time in nanoseconds: that of a whole second, and what comes on top, below 1e9. */
export function writeTime(out: Uint8Array, at: number, second: SplitTime, nanoseconds: number): number {
  const sum = second.low + nanoseconds;
  writeUint32(out, at, sum >>> 0);
  writeUint32(out, at + 4, second.high + (sum > 0xffff_ffff ? 1 : 0));
  return at + 8;
}

/** Nanoseconds since 1970, more than a number holds, in two halves of 32 bits. */
export interface SplitTime {
  readonly low: number;
  readonly high: number;
}

export function splitSeconds(seconds: number): SplitTime {
  const nanoseconds = BigInt(seconds) * 1_000_000_000n;
  return { low: Number(nanoseconds & 0xffff_ffffn), high: Number(nanoseconds >> 32n) };
}

function writeUint32(out: Uint8Array, at: number, value: number): void {
  out[at] = value & 255;
  out[at + 1] = (value >>> 8) & 255;
  out[at + 2] = (value >>> 16) & 255;
  out[at + 3] = value >>> 24;
}
