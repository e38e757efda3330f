/** The effective configuration for people and for programs, without secrets. */
import { isObject } from './key.ts';
import type { LoadedConfig } from './load.ts';
import { keys, valueAt } from './schema.ts';

const PASSWORD = 'sink.kafka.sasl.password';
const HEADERS = 'sink.otlp.headers';

/** A table of every key, its value as JSON, and the layer that set it; labels one by one. */
export function formatConfigTable({ config, origins, secrets }: LoadedConfig): string {
  const rows = [...keys].flatMap(([path, key]) => {
    const value = valueAt(config, path);
    const names = key.merges && isObject(value) ? Object.entries(value) : [];
    if (names.length === 0) return [[path, JSON.stringify(value), origins.get(path) ?? '']];
    return names.map(([name, item]) => {
      const member = `${path}.${name}`;
      return [member, JSON.stringify(item), origins.get(member) ?? ''];
    });
  });
  if (secrets.saslPassword)
    rows.push([PASSWORD, `${secrets.saslPassword}`, config.sink.kafka.sasl.password_file]);
  for (const [name, value] of Object.entries(secrets.otlpHeaders))
    rows.push([`${HEADERS}.${name}`, `${value}`, config.sink.otlp.headers_file]);
  const table = [['KEY', 'VALUE', 'SET BY'], ...rows];
  const widths = [0, 1].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const lines = table.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  return `${lines.join('\n')}\n`;
}

/** The same as JSON. The member `config` is a document that `--config` takes, and gives the same configuration. */
export function formatConfigJson({ config, origins, secrets }: LoadedConfig): string {
  const shown = { [PASSWORD]: secrets.saslPassword, [HEADERS]: secrets.otlpHeaders };
  return `${JSON.stringify({ config, origins: Object.fromEntries(origins), secrets: shown }, null, 2)}\n`;
}
