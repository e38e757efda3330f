/** The ingest pipelines: one event, as an object or as a line of text, becomes a document of its day. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMMON_LABELS, DESTINATIONS, FACTORS, WORDS } from './document.ts';

const DAY_MS = 86_400_000;

function scriptOf(name: string): string {
  return readFileSync(join(import.meta.dirname, `${name}.painless`), 'utf8');
}

/** What every document says of itself. */
const CONSTANTS = {
  'ecs.version': '8.11.0',
  'event.module': 'ktc',
  'event.dataset': 'ktc.events',
  'network.transport': 'tcp',
} as const;

/** ECS's words for the kinds of events. */
const CATEGORIES = {
  default: { 'event.kind': 'event', 'event.category': ['network'], 'event.type': ['connection', 'info'] },
  tcp_connect: {
    'event.kind': 'event',
    'event.category': ['network'],
    'event.type': ['connection', 'start'],
  },
  tcp_accept: { 'event.kind': 'event', 'event.category': ['network'], 'event.type': ['connection', 'start'] },
  tcp_life: { 'event.kind': 'event', 'event.category': ['network'], 'event.type': ['connection', 'end'] },
  host_status: { 'event.kind': 'metric', 'event.category': ['host'], 'event.type': ['info'] },
} as const;

function namesOfKinds(): Record<string, Record<string, string>> {
  const names: Record<string, Record<string, string>> = {};
  for (const { kind, field, path } of DESTINATIONS) {
    if (kind !== undefined) names[kind] = { ...names[kind], [field]: path };
  }
  return names;
}

/** Everything but the index: the data stream needs no more. */
export function streamPipeline(retentionDays: number): object {
  return {
    description:
      'One event of the KTC agent, as an object or as the text `message`, becomes a document with ECS names.',
    processors: [
      {
        // The json processor reads the first line, and is silent about the others.
        fail: {
          if: "ctx.message instanceof String && ctx.message.trim().indexOf('\n') >= 0",
          message:
            'several_events: a message of several lines (sink.kafka.format ndjson) must be split on the way here',
        },
      },
      {
        json: {
          if: 'ctx.message instanceof String && ctx.event_id == null',
          field: 'message',
          add_to_root: true,
        },
      },
      { remove: { if: 'ctx.event_id != null', field: 'message', ignore_missing: true } },
      {
        script: {
          description: 'refuses what is no event of the last days',
          source: scriptOf('check'),
          params: { oldest_ms: retentionDays * DAY_MS, newest_ms: DAY_MS },
        },
      },
      {
        script: {
          description: 'ECS names, and the document id',
          source: scriptOf('to-ecs'),
          params: {
            fields: [...new Set(DESTINATIONS.map(({ field }) => field))],
            names: Object.fromEntries(
              DESTINATIONS.filter(({ kind }) => kind === undefined).map(({ field, path }) => [field, path]),
            ),
            names_of_kind: namesOfKinds(),
            sides: Object.fromEntries(
              DESTINATIONS.flatMap(({ field, sides }) => (sides === undefined ? [] : [[field, sides]])),
            ),
            words: WORDS,
            factors: FACTORS,
            labels: COMMON_LABELS,
            constants: CONSTANTS,
            categories: CATEGORIES,
          },
        },
      },
      { set: { field: 'event.ingested', value: '{{{_ingest.timestamp}}}' } },
    ],
    on_failure: REJECT,
  };
}

/** Keeps what is refused, as it came, with the reason; one index a month of arrival. */
const REJECT = [
  { set: { field: 'error.message', value: '{{{_ingest.on_failure_message}}}' } },
  { set: { field: 'rejected_at', value: '{{{_ingest.timestamp}}}' } },
  {
    date_index_name: {
      field: 'rejected_at',
      index_name_prefix: 'ktc-rejected-',
      date_rounding: 'M',
      index_name_format: 'yyyy.MM',
      date_formats: ['ISO8601'],
    },
  },
];

/** The day of the event decides the index: a repeat finds the document that is there, whenever it comes. */
export function dailyPipeline(): object {
  return {
    description:
      'Events of the KTC agent into daily indices by the time of the event, with event_id as document id.',
    processors: [
      // A document that is copied from another index has been through here.
      { pipeline: { name: 'ktc-events-stream', if: 'ctx.message != null || !(ctx.event instanceof Map)' } },
      {
        date_index_name: {
          if: 'ctx.rejected_at == null',
          field: '@timestamp',
          index_name_prefix: 'ktc-events-',
          date_rounding: 'd',
          index_name_format: 'yyyy.MM.dd',
          date_formats: ['ISO8601'],
        },
      },
    ],
    on_failure: REJECT,
  };
}
