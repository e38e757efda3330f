/** How Kibana and OpenSearch Dashboards show the numbers of a field: the data view says it, once for all panels and lists. */
import { DOCUMENT } from './document.ts';

interface Format {
  readonly id: 'duration' | 'number' | 'bytes';
  readonly params: Readonly<Record<string, string | number | boolean>>;
}

const millisecondsOf = (inputFormat: 'microseconds' | 'nanoseconds'): Format => ({
  id: 'duration',
  params: {
    ...{ inputFormat, outputFormat: 'asMilliseconds', outputPrecision: 3 },
    // Kibana before 7.13 does not know the short one and writes "Milliseconds".
    ...{ showSuffix: true, useShortSuffix: true, includeSpaceWithSuffix: true },
  },
});

/** 5432, not 5,432. */
const UNGROUPED: Format = { id: 'number', params: { pattern: '0' } };
const BYTES: Format = { id: 'bytes', params: {} };

function formatOf(field: string): Format | null {
  if (field.endsWith('_us')) return millisecondsOf('microseconds');
  // ECS has nanoseconds.
  if (field === 'event.duration') return millisecondsOf('nanoseconds');
  if (/[._](port|pid|netns|sequence)$/.test(field)) return UNGROUPED;
  return /[._]bytes(_|$)/.test(field) ? BYTES : null;
}

/** By field, as the data view of the events has it. */
export const FIELD_FORMATS: Readonly<Record<string, Format>> = Object.fromEntries(
  Object.keys(DOCUMENT).flatMap((field) => {
    const format = formatOf(field);
    return format === null ? [] : [[field, format]];
  }),
);
