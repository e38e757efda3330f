/** A short name for a configuration, by which a fleet sees which hosts have the same one. */
import { createHash } from 'node:crypto';
import { isObject } from '../setting/key.ts';
import type { AgentConfig } from './schema.ts';

const DIGITS = 16;

/**
 * The first 16 hex digits of SHA-256 over the values in effect as canonical JSON: members in the order of their names.
 * So it does not matter which layer set a value, or whether one did that is the default. What secret files hold is no
 * part of a configuration; their paths are.
 */
export function configHash(config: AgentConfig): string {
  return createHash('sha256').update(canonicalJson(config)).digest('hex').slice(0, DIGITS);
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    isObject(member) ? Object.fromEntries(Object.entries(member).sort(byName)) : member,
  );
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
