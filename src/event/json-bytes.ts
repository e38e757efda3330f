/** JSON as bytes, written without a string. */

const BILLION = 1_000_000_000;

const encoder = new TextEncoder();

/** In memory of its own: what is kept must not keep 64 KiB of Node.js' pool. */
export const utf8 = (text: string): Uint8Array => encoder.encode(text);

export function writeBytes(out: Buffer, at: number, bytes: Uint8Array): number {
  out.set(bytes, at);
  return at + bytes.length;
}

const ZERO = 48;
/** `000` to `999`. */
const TRIPLES = utf8(Array.from({ length: 1000 }, (_, value) => String(value).padStart(3, '0')).join(''));

function writeTriple(out: Buffer, at: number, value: number): void {
  const from = 3 * value;
  out[at] = TRIPLES[from] as number;
  out[at + 1] = TRIPLES[from + 1] as number;
  out[at + 2] = TRIPLES[from + 2] as number;
}

/** Nine decimal digits of a whole number below a billion, which the machine divides as an integer. */
export function writeNineDigits(out: Buffer, at: number, value: number): number {
  const whole = value | 0;
  const thousands = (whole / 1000) | 0;
  const millions = (thousands / 1000) | 0;
  writeTriple(out, at, millions);
  writeTriple(out, at + 3, thousands - millions * 1000);
  writeTriple(out, at + 6, whole - thousands * 1000);
  return at + 9;
}

/** Decimal digits of a whole number ≥ 0. */
export function writeNumber(out: Buffer, at: number, value: number): number {
  if (value < 10) {
    out[at] = ZERO + value;
    return at + 1;
  }
  return value < BILLION ? writeDigits(out, at, value | 0) : writeLarge(out, at, value);
}

function writeLarge(out: Buffer, at: number, value: number): number {
  const billions = Math.floor(value / BILLION);
  return writeNineDigits(out, writeDigits(out, at, billions | 0), value - billions * BILLION);
}

/** Of a whole number below a billion. */
function writeDigits(out: Buffer, at: number, value: number): number {
  let count = 1;
  for (let limit = 10; value >= limit; limit *= 10) count++;
  let rest = value;
  for (let place = at + count - 1; place >= at; place--) {
    const next = (rest / 10) | 0;
    out[place] = ZERO + (rest - next * 10);
    rest = next;
  }
  return at + count;
}

const NULL = utf8('null');
const QUOTE = 34;

/** A value without anything to escape: ASCII text, a whole number ≥ 0, or null. */
export function writePlain(out: Buffer, at: number, value: string | number | null): number {
  if (value === null) return writeBytes(out, at, NULL);
  if (typeof value === 'number') return writeNumber(out, at, value);
  let end = at;
  out[end++] = QUOTE;
  for (let index = 0; index < value.length; index++) out[end++] = value.charCodeAt(index);
  out[end++] = QUOTE;
  return end;
}
