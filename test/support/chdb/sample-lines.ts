/** Lines of one event each, as agents send them: samples of this moment, and the way of any into the tables. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fullEvent } from '../sample-events.ts';
import type { Engine } from './engine.ts';

export const NOW = `${new Date().toISOString().slice(0, -1)}000000Z`;

/** Of now, so that it is in the range of time that is kept. */
export const sampleEvent = (changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> => ({
  ...fullEvent('tcp_life'),
  timestamp: NOW,
  ...changes,
});

/** With an identifier that fits. */
export const sampleLine = (changes: Readonly<Record<string, unknown>>): string => {
  const one = sampleEvent(changes);
  return JSON.stringify({
    ...one,
    event_id: changes['event_id'] ?? `${one['boot_id']}-00c0ffee-${one['cpu']}-7`,
  });
};

export async function insertLines(engine: Engine, lines: readonly string[], database = 'ktc'): Promise<void> {
  const path = join(engine.directory, 'lines.ndjson');
  writeFileSync(path, `${lines.join('\n')}\n`);
  await engine.load(path, database);
}
