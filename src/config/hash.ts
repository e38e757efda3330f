/** A short name for a configuration, by which a fleet sees which hosts have the same one. */
import { crc32 } from 'node:zlib';
import { isObject } from '../setting/key.ts';
import { hex32 } from '../shared/text.ts';
import type { AgentConfig } from './schema.ts';

/**
 * 16 hex digits over the values in effect as canonical JSON: members in the order of their names.
 * So it does not matter which layer set a value, or whether one did that is the default. What secret files hold is no
 * part of a configuration; their paths are.
 *
 * Two CRC-32, of the text in UTF-8 and in UTF-16: nothing here has to resist an attacker, and node:crypto takes 2 MB of
 * resident memory.
 */
export function configHash(config: AgentConfig): string {
  const json = canonicalJson(config);
  return [crc32(json), crc32(Buffer.from(json, 'utf16le'))].map(hex32).join('');
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    isObject(member) ? Object.fromEntries(Object.entries(member).sort(byName)) : member,
  );
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
