/** What a reload would change, and which of these changes need a restart. */
import { isDeepStrictEqual } from 'node:util';
import { type AgentConfig, type ConfigPath, keys, valueAt } from './schema.ts';

export interface ConfigChanges {
  /** Keys with a new value that takes effect at once. */
  readonly changed: readonly ConfigPath[];
  /** Keys with a new value that needs a restart. */
  readonly refused: readonly ConfigPath[];
}

export function compareConfigs(old: AgentConfig, next: AgentConfig): ConfigChanges {
  const different = [...keys].filter(([path]) => !isDeepStrictEqual(valueAt(old, path), valueAt(next, path)));
  const paths = (reloadable: boolean) =>
    different.filter(([, key]) => key.reloadable === reloadable).map(([path]) => path);
  return { changed: paths(true), refused: paths(false) };
}
