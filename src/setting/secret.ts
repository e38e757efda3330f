/** Secrets: read from files that no other user can read, and never shown. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { type Result, refusal, success } from '../shared/result.ts';
import { decodeUtf8 } from '../shared/text.ts';
import { findAccount } from './account.ts';
import { fileProblem } from './problem.ts';

/** A value that only `reveal` shows: logs, JSON and string templates contain `[redacted]` instead. */
export interface Secret {
  readonly reveal: () => string;
  readonly toString: () => string;
  readonly toJSON: () => string;
}

export const REDACTED = '[redacted]';

export function createSecret(value: string): Secret {
  const redact = () => REDACTED;
  return Object.freeze({ reveal: () => value, toString: redact, toJSON: redact, [inspect.custom]: redact });
}

export function isSecret(value: object): value is Secret {
  return 'reveal' in value && typeof value.reveal === 'function';
}

const MAX_BYTES = 65_536;

/**
 * Reads a secret without a byte order mark and without the line break at its end. Refuses a file that is empty, that is
 * not text in UTF-8, that other users may read, or whose owner is neither root nor this user nor the user that the agent
 * will become (`agentUser`, empty for none). Problems contain neither the path, which may itself be a secret in the wrong
 * place, nor any content.
 */
export function readSecret(path: string, agentUser: string): Result<Secret> {
  let file: number;
  try {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer for ever.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return refusal(fileProblem(error));
  }
  try {
    const { mode, uid, size, isFile } = describeFile(file);
    if (!isFile) return refusal('must be a regular file');
    if (size > MAX_BYTES) return refusal(`must not be larger than ${MAX_BYTES} bytes`);
    if ((mode & 0o177) !== 0) {
      return refusal(`has mode ${formatMode(mode)}, which lets others in: chmod it to 0600`);
    }
    const user = process.geteuid?.();
    if (uid !== 0 && uid !== user && !isUser(uid, agentUser)) {
      const owner = agentUser === '' ? user : agentUser;
      return refusal(`belongs to user ${uid}: chown it to root or to user ${owner}`);
    }
    const text = decodeUtf8(readFileSync(file));
    if (text === null || text.includes('\0')) return refusal('must be text in UTF-8');
    const value = text.replace(/\r?\n$/, '');
    return value === '' ? refusal('is empty') : success(createSecret(value));
  } finally {
    closeSync(file);
  }
}

/** Reads a secret that must be a single line. */
export function readPassword(path: string, agentUser: string): Result<Secret> {
  const result = readSecret(path, agentUser);
  const isLine = !result.ok || !/[\r\n]/.test(result.value.reveal());
  return isLine ? result : refusal('must hold the password alone, on one line');
}

function isUser(uid: number, name: string): boolean {
  const found = name === '' ? null : findAccount(name, '');
  return found?.ok === true && found.value.uid === uid;
}

function describeFile(file: number): { mode: number; uid: number; size: number; isFile: boolean } {
  const status = fstatSync(file);
  return { mode: status.mode & 0o777, uid: status.uid, size: status.size, isFile: status.isFile() };
}

function formatMode(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
