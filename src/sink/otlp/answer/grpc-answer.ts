/** The meaning of a gRPC status for the events of its request (OTLP specification 1.x, OTLP/gRPC response). */
import { decodeStatus } from './rpc-status.ts';
import { boundedPause, oneLine, retry, type Verdict } from './verdict.ts';

export interface GrpcFailure {
  readonly code: number;
  readonly details: string;
  /** `grpc-status-details-bin` of the trailers. */
  readonly status: Uint8Array | null;
}

/** The names of gRPC's status codes, by number. */
const CODES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

/**
 * INVALID_ARGUMENT is about these events, and so is RESOURCE_EXHAUSTED unless its RetryInfo says that it will pass.
 * Everything else is about the receiver, the network or the configuration, and would refuse all events alike: they are
 * sent again, also for codes that the specification calls permanent.
 */
export function judgeGrpcFailure({ code, details, status }: GrpcFailure, where: string): Verdict {
  const name = CODES[code] ?? `code ${code}`;
  const said = oneLine(`OTLP receiver ${where} answers ${name}${details === '' ? '' : `, "${details}"`}`);
  const delay = (status && decodeStatus(status)?.retryAfterMs) ?? null;
  const afterMs = delay === null ? null : boundedPause(delay);
  switch (name) {
    case 'INVALID_ARGUMENT':
      return { kind: 'refused', reason: 'bad_request', message: said, isOtlp: true };
    case 'RESOURCE_EXHAUSTED':
      if (delay !== null) return retry(said, { afterMs });
      if (/larger than/i.test(details)) return { kind: 'too_large', message: said };
      return { kind: 'refused', reason: 'resource_exhausted', message: said, isOtlp: true };
    case 'UNAUTHENTICATED':
    case 'PERMISSION_DENIED':
      return retry(`${said}: check the credentials in sink.otlp.headers or sink.otlp.headers_file`, {
        mayPass: false,
      });
    case 'UNIMPLEMENTED':
    case 'NOT_FOUND':
      return retry(`${said}: check that sink.otlp.endpoint is the port for OTLP over gRPC`, {
        mayPass: false,
      });
    default:
      return retry(said, { afterMs });
  }
}

/** The verdict for an HTTP answer without a gRPC status: it comes from something in between, never from a receiver of OTLP. */
export function judgeNoGrpc(status: number, where: string): Verdict {
  const said = `OTLP receiver ${where} answers HTTP ${status}, not gRPC`;
  const isSetting = status < 500 && status !== 429;
  return retry(isSetting ? `${said}: check sink.otlp.endpoint and sink.otlp.protocol` : said, {
    mayPass: !isSetting,
  });
}
