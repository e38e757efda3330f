/** Numbers and strings as people read them in a terminal, and bytes that have to be text. */

/** An integer with a comma between its thousands: `1234567` → `1,234,567`. */
export function grouped(integer: number): string {
  // Intl.NumberFormat would load locale data: 6 MB of resident memory and 11 ms at the start.
  return String(integer).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Bytes in binary units with three digits or fewer: `0 B`, `1.5 KiB`, `64 MiB`. */
export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let size = value;
  let unit = units.shift() ?? '';
  for (const larger of units) {
    if (size < 1024) break;
    size /= 1024;
    unit = larger;
  }
  return `${size < 10 && !Number.isInteger(size) ? size.toFixed(1) : Math.round(size)} ${unit}`;
}

/** Seconds in the two largest units that matter: `42 s`, `3 min 5 s`, `2 h 10 min`, `9 d 4 h`. */
export function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  const minutes = Math.floor(whole / 60);
  const hours = Math.floor(minutes / 60);
  if (minutes === 0) return `${whole} s`;
  if (hours === 0) return `${minutes} min ${whole % 60} s`;
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/**
 * Escapes what steers a terminal, ends a line or reorders it: names of processes, errors of peers and keys of files
 * are chosen by others. `format` gives the text for one character's code point.
 */
export function escapeControls(text: string, format = escapeShort): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => format(character.codePointAt(0) ?? 0));
}

/** `\x0a`, and `\u{202e}` for what needs more than one byte. */
function escapeShort(code: number): string {
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}

/** `\u000a`, as JSON writes it. */
export function escapeAsJson(code: number): string {
  const units = String.fromCodePoint(code).split('');
  return units.map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
}

/** Eight hex digits that no other process takes but by chance: a name, and no secret (V8 draws from a seed of the kernel). */
export function randomName(): string {
  return hex32(Math.floor(Math.random() * 2 ** 32));
}

/** Eight hex digits of an unsigned number of 32 bits. */
export function hex32(value: number): string {
  return value.toString(16).padStart(8, '0');
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** The text without a byte order mark at its begin; null for bytes that are not UTF-8, which would become another text. */
export function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return UTF8.decode(bytes);
  } catch {
    return null;
  }
}
