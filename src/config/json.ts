/**
 * JSON for files that people write. `JSON.parse` takes the last of two equal keys without a word, gives no place for
 * many mistakes, and quotes the text around the others, which may be a password.
 */
import { type Result, success } from '../shared/result.ts';

const SPACE = /[ \t\r\n]*/y;
const STRING = /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const OTHER_SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** Far more levels than any configuration has, and far fewer than the call stack can take. */
const MAX_DEPTH = 100;

/** The place of a mistake in a text; line and column count from 1. */
interface Place {
  line: number;
  column: number;
}

/** Reads JSON by RFC 8259, but two equal keys in one object are a mistake. */
export function parseJson(text: string): Result<unknown, Place> {
  const faults: { at: number; problem: string }[] = [];
  let at = 0;

  function refuse(problem: string, where = at): undefined {
    faults.push({ at: where, problem: where === text.length ? `${problem}, found the end` : problem });
  }

  function take(pattern: RegExp): string | null {
    pattern.lastIndex = at;
    const token = pattern.exec(text)?.[0] ?? null;
    if (token !== null) at += token.length;
    return token;
  }

  /** Takes a punctuation mark and the space on both sides of it. */
  function takeMark(mark: string): boolean {
    take(SPACE);
    if (text[at] !== mark) return false;
    at += 1;
    take(SPACE);
    return true;
  }

  /** Reads members up to the closing mark; stops at the first fault. */
  function readMembers(close: string, readMember: () => void): void {
    if (takeMark(close)) return;
    do readMember();
    while (faults.length === 0 && takeMark(','));
    if (faults.length === 0 && !takeMark(close)) refuse(`expected "," or "${close}"`);
  }

  function readString(what: string): string | undefined {
    const token = take(STRING);
    if (token !== null) return JSON.parse(token);
    return refuse(
      text[at] === '"' ? 'a string with a bad escape, a line break or no end' : `expected ${what}`,
    );
  }

  function readObject(depth: number): unknown {
    const members = new Map<string, unknown>();
    readMembers('}', () => {
      const start = at;
      const name = readString('a key in double quotes');
      if (name === undefined) return;
      if (members.has(name)) return refuse(`the key ${JSON.stringify(name)} is there twice`, start);
      if (!takeMark(':')) return refuse('expected ":"');
      members.set(name, readValue(depth + 1));
    });
    return Object.fromEntries(members);
  }

  function readList(depth: number): unknown {
    const items: unknown[] = [];
    readMembers(']', () => items.push(readValue(depth + 1)));
    return items;
  }

  function readValue(depth: number): unknown {
    if (depth > MAX_DEPTH) return refuse('nested too deep');
    if (takeMark('{')) return readObject(depth);
    if (takeMark('[')) return readList(depth);
    const scalar = take(OTHER_SCALAR);
    return scalar === null ? readString('a value') : JSON.parse(scalar);
  }

  const value = readValue(0);
  take(SPACE);
  if (faults.length === 0 && at < text.length) refuse('expected nothing more');
  const [fault] = faults;
  if (!fault) return success(value);
  const before = text.slice(0, fault.at).split('\n');
  return { ok: false, line: before.length, column: (before.at(-1)?.length ?? 0) + 1, problem: fault.problem };
}
