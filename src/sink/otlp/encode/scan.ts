/** Reads the JSON that src/event/serializer.ts writes, byte by byte. */

export const CHARACTER = {
  quote: 0x22,
  comma: 0x2c,
  zero: 0x30,
  openingBracket: 0x5b,
  backslash: 0x5c,
  closingBracket: 0x5d,
  /** Of null: nothing else begins with it. */
  n: 0x6e,
  openingBrace: 0x7b,
  closingBrace: 0x7d,
} as const;

export const NULL_LENGTH = 4;

export function matches(bytes: Buffer, at: number, expected: Buffer): boolean {
  const { length } = expected;
  for (let index = 0; index < length; index++) {
    if (bytes[at + index] !== expected[index]) return false;
  }
  return true;
}

/** The closing quote of the string that begins at `from`; negative when an escape comes before it. */
export function stringEnd(bytes: Buffer, from: number): number {
  for (let at = from; at < bytes.length; at++) {
    if (bytes[at] === CHARACTER.quote) return at;
    if (bytes[at] === CHARACTER.backslash) return -1;
  }
  throw unreadable(bytes, from);
}

export function escapedStringEnd(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] !== CHARACTER.quote) at += bytes[at] === CHARACTER.backslash ? 2 : 1;
  return at;
}

export function unreadable(bytes: Buffer, at: number): Error {
  return new Error(
    `the OTLP sink cannot read an event at ${JSON.stringify(bytes.toString('utf8', at, at + 80))}`,
  );
}
