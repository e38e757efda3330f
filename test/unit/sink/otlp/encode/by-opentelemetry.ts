/** The request that OpenTelemetry's own serializer makes: what ours is compared with, to the byte. */
import { ProtobufLogsSerializer } from '@opentelemetry/otlp-transformer';
import type { KtcEvent } from '../../../../../src/event/tcp-event.ts';
import { createRecordMaker } from '../../../../../src/sink/otlp/encode/log-record.ts';

/** When the events of a request are said to be observed, milliseconds since 1970. */
export const OBSERVED_MS = Date.UTC(2026, 10, 24, 3, 0, 0, 7);
/** The version of the agent that is said to send it. */
export const VERSION = '1.2.3';

export function byOpenTelemetry(events: readonly KtcEvent[]): Buffer {
  const makeRecord = createRecordMaker(VERSION);
  const records = events.map((event) => makeRecord(event, [OBSERVED_MS / 1000 - 0.007, 7_000_000]));
  return Buffer.from(ProtobufLogsSerializer.serializeRequest(records) ?? []);
}
