/** ExportLogsServiceResponse, the answer to a request that the receiver accepted, completely or partly. */
import { JsonLogsSerializer, ProtobufLogsSerializer } from '@opentelemetry/otlp-transformer';
import { oneLine, retry, type Verdict } from './verdict.ts';

/**
 * A success whose body no receiver of OTLP would send comes from something in between, such as the login page of a
 * proxy: it acknowledges nothing, and the events are sent again. Null stands for a body that could not be read.
 */
export function judgeResponse(
  body: Uint8Array | null,
  encoding: 'protobuf' | 'json',
  where: string,
): Verdict {
  const response = body && decode(body, encoding);
  if (response === null) {
    const advice = 'check sink.otlp.endpoint, and what is in between';
    return retry(
      `OTLP receiver ${where} answers with success, but not as a receiver of OTLP does: ${advice}`,
      { mayPass: false },
    );
  }
  const { rejectedLogRecords, errorMessage } = response.partialSuccess ?? {};
  // In JSON an int64 is a string.
  const refused = Number(rejectedLogRecords ?? 0);
  return {
    kind: 'accepted',
    refused: Number.isSafeInteger(refused) && refused > 0 ? refused : 0,
    message: typeof errorMessage === 'string' ? oneLine(errorMessage) : '',
  };
}

function decode(body: Uint8Array, encoding: 'protobuf' | 'json') {
  try {
    if (encoding === 'protobuf') return ProtobufLogsSerializer.deserializeResponse(body);
    // OpenTelemetry's decoder treats a body that is not JSON as an empty answer.
    const json: unknown = body.length === 0 ? {} : JSON.parse(Buffer.from(body).toString('utf8'));
    if (typeof json !== 'object' || json === null) return null;
    return JsonLogsSerializer.deserializeResponse(body);
  } catch {
    return null;
  }
}
