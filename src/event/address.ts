/** IP addresses: bytes in network order to text, and CIDR matching. */

/** Dotted decimal of the 4 bytes at `at`. */
export function formatIpv4(bytes: Uint8Array, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

/** RFC 5952 text of the 16 bytes at `at`: lower case, the longest run of two or more zero groups as `::`. */
export function formatIpv6(bytes: Uint8Array, at: number): string {
  const groups: number[] = [];
  for (let index = 0; index < 16; index += 2) {
    groups.push(((bytes[at + index] as number) << 8) | (bytes[at + index + 1] as number));
  }
  let bestStart = -1;
  let bestLength = 1;
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > bestLength) {
      bestStart = start;
      bestLength = length;
    }
  }
  const hex = (part: readonly number[]) => part.map((group) => group.toString(16)).join(':');
  if (bestStart === -1) return hex(groups);
  return `${hex(groups.slice(0, bestStart))}::${hex(groups.slice(bestStart + bestLength))}`;
}

/** An address range: every address whose first `prefix` bits are those of `bytes`. */
export interface Range {
  /** 4 or 16. */
  readonly bytes: Uint8Array;
  readonly prefix: number;
}

function parseIpv4(text: string): Uint8Array | null {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255))
    return null;
  return Uint8Array.from(parts, Number);
}

function parseIpv6(text: string): Uint8Array | null {
  const embedded = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (embedded !== null) {
    const tail = parseIpv4(embedded[2] ?? '');
    if (tail === null) return null;
    const [a, b, c, d] = tail as unknown as [number, number, number, number];
    return parseIpv6(`${embedded[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`);
  }
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const groups = [...head, ...Array<string>(missing).fill('0'), ...tail];
  if (!groups.every((group) => /^[\da-fA-F]{1,4}$/.test(group))) return null;
  return Uint8Array.from(
    groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]),
  );
}

/** 4 or 16 bytes in network order; null when the text is no address. */
export function parseAddress(text: string): Uint8Array | null {
  return parseIpv4(text) ?? parseIpv6(text);
}

/** Parses `10.0.0.0/8`, `fd00::/8` or a single address; null when it is neither. */
export function parseRange(text: string): Range | null {
  const [address = '', prefixText, ...more] = text.split('/');
  const bytes = parseAddress(address);
  if (bytes === null || more.length > 0) return null;
  const bits = bytes.length * 8;
  if (prefixText !== undefined && (!/^\d{1,3}$/.test(prefixText) || Number(prefixText) > bits)) return null;
  const range = { bytes, prefix: prefixText === undefined ? bits : Number(prefixText) };
  // Mapped addresses are told as IPv4, so a mapped range means the IPv4 range inside it.
  const isMapped = range.prefix >= 96 && inRange(MAPPED, bytes, 0, 16);
  return isMapped ? { bytes: bytes.subarray(12), prefix: range.prefix - 96 } : range;
}

/** ::ffff:0:0/96 (RFC 4291, section 2.5.5.2). */
const MAPPED: Range = {
  bytes: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0),
  prefix: 96,
};

/** Whether the `length` (4 or 16) bytes at `at` lie in the range. */
export function inRange(range: Range, bytes: Uint8Array, at: number, length: number): boolean {
  if (range.bytes.length !== length) return false;
  const whole = range.prefix >> 3;
  for (let index = 0; index < whole; index++) if (range.bytes[index] !== bytes[at + index]) return false;
  const rest = range.prefix & 7;
  if (rest === 0) return true;
  const mask = (0xff << (8 - rest)) & 0xff;
  return ((range.bytes[whole] as number) & mask) === ((bytes[at + whole] as number) & mask);
}
