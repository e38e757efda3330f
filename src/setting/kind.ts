/** The kinds of configuration values: how a value is checked, and how it is written as text. */
import { isIP } from 'node:net';
import { parseRange } from '../event/address.ts';

export interface Kind<T> {
  /** Type and bounds in words: completes the sentence "must be …" in problems, and is the type in the reference. */
  readonly expects: string;
  readonly accepts: (value: unknown) => value is T;
  /** Reads an environment variable or a flag. Text of another kind comes back unchanged, and `accepts` refuses it. */
  readonly decode: (text: string) => unknown;
  /** Problems never show the value: it may be the secret itself, written in place of the name of its file. */
  readonly concealed?: true;
}

/** A whole number from `minimum` to `maximum`, both included. */
export function integer(minimum: number, maximum: number): Kind<number> {
  return {
    expects: `an integer from ${minimum} to ${maximum}`,
    accepts: (value): value is number =>
      typeof value === 'number' && Number.isSafeInteger(value) && value >= minimum && value <= maximum,
    decode: (text) => (/^[+-]?\d+$/.test(text) ? Number(text) : text),
  };
}

export const boolean: Kind<boolean> = {
  expects: 'true or false',
  accepts: (value): value is boolean => typeof value === 'boolean',
  decode: (text) => (text === 'true' ? true : text === 'false' ? false : text),
};

export function oneOf<const T extends string>(...options: readonly T[]): Kind<T> {
  return {
    expects: `one of ${options.map((option) => `"${option}"`).join(', ')}`,
    accepts: (value): value is T => options.some((option) => option === value),
    decode: decodeString,
  };
}

/** A string for which `matches` is true; `expects` describes such strings in words. */
export function text(expects: string, matches: (value: string) => boolean): Kind<string> {
  return {
    expects,
    accepts: (value): value is string => typeof value === 'string' && matches(value),
    decode: decodeString,
  };
}

/** This kind, or the empty string for none. */
export function optional(kind: Kind<string>): Kind<string> {
  return {
    ...kind,
    expects: `${kind.expects}, or "" for none`,
    accepts: (value): value is string => value === '' || kind.accepts(value),
  };
}

/** The value of a JSON text, `undefined` for any other text. */
export function decodeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Text in double quotes is read as a JSON string; all other text is the value itself. */
function decodeString(text: string): unknown {
  const decoded = text.startsWith('"') ? decodeJson(text) : undefined;
  return typeof decoded === 'string' ? decoded : text;
}

/** Whether a string is short and has no control characters, so that it fits into a log line, a table and JSON. */
function isLine(value: string, maximum: number): boolean {
  return value !== '' && value.length <= maximum && !/\p{Cc}/u.test(value);
}

export function line(maximum: number): Kind<string> {
  return text(`a line of 1 to ${maximum} characters`, (value) => isLine(value, maximum));
}

/** Letters, digits and `marks`: a name that the kernel, Kafka and file systems all accept. */
export function name(marks: string, maximum: number): Kind<string> {
  const pattern = new RegExp(`^[A-Za-z0-9${marks.replace(/[-.]/g, '\\$&')}]{1,${maximum}}$`);
  return text(
    `1 to ${maximum} letters, digits or ${[...marks].map((mark) => `"${mark}"`).join(', ')}`,
    (value) => pattern.test(value) && value !== '.' && value !== '..',
  );
}

/**
 * No dots, because Elasticsearch would make objects of such labels; a letter first, so that no label is `__proto__`.
 */
export const labelName = text('a letter followed by up to 62 letters, digits, "_" or "-"', (value) =>
  /^[A-Za-z][A-Za-z0-9_-]{0,62}$/.test(value),
);

export const filePath = text('the path of a file', (value) => isLine(value, 4096) && !value.endsWith('/'));

export const secretPath: Kind<string> = {
  ...text('an absolute path of a file', (value) => isLine(value, 4096) && /^\/.*[^/]$/.test(value)),
  concealed: true,
};

export const address = text('an IPv4 or IPv6 address', (value) => isIP(value) !== 0);

export const network = text(
  'an IPv4 or IPv6 address or CIDR such as "10.0.0.0/8"',
  (value) => parseRange(value) !== null,
);

/** The kernel's TASK_COMM_LEN is 16 bytes with the closing NUL (include/linux/sched.h). */
export const processName = text(
  'a process name of 1 to 15 bytes',
  (value) => isLine(value, 15) && Buffer.byteLength(value) <= 15,
);

/** Problems do not show it: it may contain a password. */
export const httpUrl: Kind<string> = {
  ...text('an http:// or https:// URL without user name, password and fragment', (value) => {
    const url = isLine(value, 2048) && /^https?:\/\//i.test(value) ? URL.parse(value) : null;
    return url !== null && url.username === '' && url.password === '' && url.hash === '';
  }),
  concealed: true,
};
