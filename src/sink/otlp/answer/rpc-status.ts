/**
 * google.rpc.Status, with which receivers explain an error: the body of an HTTP error and the trailer
 * `grpc-status-details-bin`. Fields of the messages, from google/rpc/status.proto, error_details.proto and duration.proto:
 *
 *     Status     1 code, 2 message, 3 details (Any, repeated)      Any        1 type_url, 2 value
 *     RetryInfo  1 retry_delay (Duration)                          Duration   1 seconds, 2 nanos
 */

export interface RpcStatus {
  readonly message: string;
  /** The pause that its RetryInfo asks for, in milliseconds; null without a RetryInfo. */
  readonly retryAfterMs: number | null;
}

const RETRY_INFO = 'google.rpc.RetryInfo';
const NOTHING = new Uint8Array();

/** Decodes a Status; null for bytes that are no such message. */
export function decodeStatus(bytes: Uint8Array): RpcStatus | null {
  const status = readFields(bytes);
  if (status === null) return null;
  let retryAfterMs: number | null = null;
  for (const detail of messages(status, 3)) {
    const any = readFields(detail);
    if (any === null || !text(any, 1).endsWith(`/${RETRY_INFO}`)) continue;
    // A RetryInfo without a delay says that a retry makes sense, at any time.
    retryAfterMs = 0;
    const [duration] = messages(readFields(messages(any, 2)[0] ?? NOTHING) ?? [], 1);
    const fields = duration && readFields(duration);
    if (fields) retryAfterMs = number(fields, 1) * 1000 + Math.ceil(number(fields, 2) / 1e6);
  }
  return { message: text(status, 2), retryAfterMs };
}

type Field = readonly [number: number, value: number | Uint8Array];
/** The fields of a message in order; null for bytes that are no message. Fields of a fixed size are left out. */
function readFields(bytes: Uint8Array): Field[] | null {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; at < bytes.length; scale *= 128) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    return Number.NaN;
  };
  while (at < bytes.length) {
    const tag = varint();
    const field = Math.floor(tag / 8);
    switch (tag % 8) {
      case 0:
        fields.push([field, varint()]);
        break;
      case 1:
        at += 8;
        break;
      case 2: {
        const length = varint();
        fields.push([field, bytes.subarray(at, at + length)]);
        at += length;
        break;
      }
      case 5:
        at += 4;
        break;
      default:
        return null;
    }
    if (!(at <= bytes.length)) return null;
  }
  return fields;
}

function messages(fields: readonly Field[], wanted: number): Uint8Array[] {
  return fields.flatMap(([field, value]) => (field === wanted && value instanceof Uint8Array ? [value] : []));
}

function text(fields: readonly Field[], wanted: number): string {
  return Buffer.from(messages(fields, wanted)[0] ?? NOTHING).toString('utf8');
}

function number(fields: readonly Field[], wanted: number): number {
  const found = fields.find(([field]) => field === wanted)?.[1];
  return typeof found === 'number' ? found : 0;
}
