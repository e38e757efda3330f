/** google.rpc.Status with a RetryInfo, written byte by byte from google/rpc/status.proto and error_details.proto. */

const LENGTH_DELIMITED = 2;

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

/** A field that is a message, or a text. */
export function message(field: number, content: Buffer | string): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([varint(field * 8 + LENGTH_DELIMITED), varint(bytes.length), bytes]);
}

function integer(field: number, value: number): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

/** Null leaves the delay out of the RetryInfo. */
export function retryInfo(delay: { seconds: number; nanos: number } | null): Buffer {
  const info =
    delay === null
      ? Buffer.alloc(0)
      : message(1, Buffer.concat([integer(1, delay.seconds), integer(2, delay.nanos)]));
  return Buffer.concat([message(1, 'type.googleapis.com/google.rpc.RetryInfo'), message(2, info)]);
}

export function rpcStatus(code: number, text: string, details: readonly Buffer[] = []): Buffer {
  return Buffer.concat([integer(1, code), message(2, text), ...details.map((detail) => message(3, detail))]);
}

/** ExportLogsServiceResponse with a partial success. */
export function partialSuccess(rejected: number, text: string): Buffer {
  return message(1, Buffer.concat([integer(1, rejected), message(2, text)]));
}
