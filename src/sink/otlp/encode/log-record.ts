/** An event as OpenTelemetry's serializers take it. */
import type { HrTime } from '@opentelemetry/api';
import type { ProtobufLogsSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { KtcEvent } from '../../../event/tcp-event.ts';
import {
  attributeOf,
  hasTransport,
  ORIGIN_FIELDS,
  type OriginFields,
  resourceAttributes,
  SCHEMA_URL,
  SCOPE_NAME,
  scopeAttributes,
  TRANSPORT,
} from './attributes.ts';
import { severityOf } from './severity.ts';

export type LogRecord = Parameters<typeof ProtobufLogsSerializer.serializeRequest>[0][number];

/** What the events of one run of the agent have in common. */
type Origin = Pick<LogRecord, 'resource' | 'instrumentationScope'>;

function originOf(fields: OriginFields, version: string): Origin {
  return {
    resource: resourceFromAttributes(resourceAttributes(fields, version), { schemaUrl: SCHEMA_URL }),
    instrumentationScope: {
      name: SCOPE_NAME,
      version,
      schemaUrl: SCHEMA_URL,
      attributes: scopeAttributes(fields),
    },
  };
}

/** RFC 3339 with nine digits as whole seconds and nanoseconds: exact, where a number of nanoseconds would not be. */
export function hrTimeOf(timestamp: string): HrTime {
  return [Date.parse(`${timestamp.slice(0, 19)}Z`) / 1000, Number(timestamp.slice(20, 29))];
}

export function toLogRecord(event: KtcEvent, origin: Origin, observed: HrTime): LogRecord {
  const attributes: NonNullable<LogRecord['attributes']> = hasTransport(event.event)
    ? { [TRANSPORT.name]: TRANSPORT.value }
    : {};
  for (const [field, value] of Object.entries(event)) {
    const place = attributeOf(field);
    // What is not known is left out: OTLP has no null.
    if (place === null || value === null) continue;
    attributes[place.attribute] = place.values?.[String(value)] ?? value;
  }
  const severity = severityOf(event);
  return {
    ...origin,
    hrTime: hrTimeOf(event.timestamp),
    hrTimeObserved: observed,
    severityNumber: severity.number,
    severityText: severity.text,
    eventName: `ktc.${event.event}`,
    attributes,
    droppedAttributesCount: 0,
  };
}

/** Makes records of events; those of one run of the agent share their origin. */
export function createRecordMaker(version: string): (event: KtcEvent, observed: HrTime) => LogRecord {
  let lastKey = '';
  let origin: Origin | null = null;
  return (event, observed) => {
    const key = JSON.stringify(ORIGIN_FIELDS.map((field) => event[field]));
    if (origin === null || key !== lastKey) {
      origin = originOf(event, version);
      lastKey = key;
    }
    return toLogRecord(event, origin, observed);
  };
}
