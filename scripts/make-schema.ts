/** Writes the published JSON Schema of the events. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventSchema } from '../src/event/schema.ts';

const path = join(import.meta.dirname, '../src/event/tcp-event.schema.json');
writeFileSync(path, `${JSON.stringify(eventSchema(), null, 2)}\n`);
