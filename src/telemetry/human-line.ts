/** A JSON log line for people: `12:30:05.123 WARN  sink kafka is away  sink=kafka repeated=41`. */
import { escapeControls } from '../shared/text.ts';

/** Fields that have a place of their own in the line, or are the same on all lines of one process. */
const LEFT_OUT = new Set(['level', 'time', 'msg', 'name', 'pid']);

/** @param json one line as pino writes it; anything else is returned as it is, with its control characters escaped */
export function humanLine(json: string): string {
  const line = parse(json);
  if (line === null) return escapeControls(json.trimEnd());
  const { level, time, msg } = line;
  const clock = String(time).slice('2026-01-01T'.length, -'Z'.length);
  const fields = Object.entries(line)
    .filter(([name]) => !LEFT_OUT.has(name))
    .map(([name, value]) => ` ${name}=${fieldText(value)}`)
    .join('');
  const said = `${clock} ${String(level).toUpperCase().padEnd(5)} ${msg ?? ''}`.trimEnd();
  return escapeControls(fields === '' ? said : `${said} ${fields}`);
}

function fieldText(value: unknown): string {
  return typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}

function parse(json: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
