/** The effective configuration for people and for programs, without secrets. */
import { isObject } from '../setting/key.ts';
import { isSecret } from '../setting/secret.ts';
import { SINK_NAMES } from '../sink/registry.ts';
import { configHash } from './hash.ts';
import type { LoadedConfig } from './load.ts';
import { keys, valueAt } from './schema.ts';
import { sinks } from './sinks.ts';

/** What secret files hold: where it is shown, the content, and the file. */
function shownSecrets({ config, secrets }: LoadedConfig) {
  return SINK_NAMES.flatMap((name) => {
    const { secret } = sinks[name];
    return secret === null
      ? []
      : [{ path: secret.shownAs, content: secrets[name], file: String(valueAt(config, secret.reads[0])) }];
  });
}

function secretRows(loaded: LoadedConfig): string[][] {
  return shownSecrets(loaded).flatMap(({ path, content, file }) => {
    if (content === null) return [];
    if (isSecret(content)) return [[path, `${content}`, file]];
    return Object.entries(content).map(([name, value]) => [`${path}.${name}`, `${value}`, file]);
  });
}

/** A table of every key, its value as JSON, and the layer that set it; each label has a row of its own. Then the hash. */
export function formatConfigTable(loaded: LoadedConfig): string {
  const { config, origins } = loaded;
  const rows = [...keys].flatMap(([path, key]) => {
    const value = valueAt(config, path);
    const names = key.merges && isObject(value) ? Object.entries(value) : [];
    if (names.length === 0) return [[path, JSON.stringify(value), origins.get(path) ?? '']];
    return names.map(([name, item]) => {
      const member = `${path}.${name}`;
      return [member, JSON.stringify(item), origins.get(member) ?? ''];
    });
  });
  const table = [['KEY', 'VALUE', 'SET BY'], ...rows, ...secretRows(loaded)];
  const widths = [0, 1].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const lines = table.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  return `${lines.join('\n')}\n\nconfig_hash ${configHash(config)}\n`;
}

/** The same facts as JSON. Its member `config` is a document for `--config` that gives the same configuration. */
export function formatConfigJson(loaded: LoadedConfig): string {
  const { config, origins } = loaded;
  const secrets = Object.fromEntries(shownSecrets(loaded).map(({ path, content }) => [path, content]));
  const shown = { config, config_hash: configHash(config), origins: Object.fromEntries(origins), secrets };
  return `${JSON.stringify(shown, null, 2)}\n`;
}
