/** The meaning of an HTTP answer for the events of its request (OTLP specification 1.x, OTLP/HTTP response). */
import { judgeResponse } from './export-response.ts';
import { decodeStatus } from './rpc-status.ts';
import { boundedPause, oneLine, retry, type Verdict } from './verdict.ts';

export interface HttpAnswer {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Uint8Array;
}

/**
 * - Any 2xx is an acknowledgement, as it is to OpenTelemetry's own exporters: receivers answer 202, or 204 without a body.
 * - 400 is about these events, 413 about their number.
 * - 401, 403, 404 and all others that the specification calls permanent are about the configuration or about the
 *   receiver. To refuse events because of them would lose all events for nothing, so they are sent again until somebody
 *   has solved the problem.
 */
export function judgeHttp(answer: HttpAnswer, where: string): Verdict {
  const { status } = answer;
  if (status >= 200 && status <= 299) return judgeSuccess(answer, where);
  const said = `OTLP receiver ${where} answers ${status}${withMessage(answer)}`;
  switch (status) {
    case 400:
      return { kind: 'refused', reason: 'bad_request', message: oneLine(said), isOtlp: isOtlp(answer) };
    case 413:
      return { kind: 'too_large', message: oneLine(said) };
    case 429:
    case 502:
    case 503:
    case 504:
      return retry(said, { afterMs: retryAfterMs(answer) });
    case 401:
    case 403:
      return retry(`${said}: check the credentials in sink.otlp.headers or sink.otlp.headers_file`, {
        mayPass: false,
      });
    case 404:
    case 405:
      return retry(`${said}: check the path of sink.otlp.endpoint, receivers mostly listen on /v1/logs`, {
        mayPass: false,
      });
    default:
      if (status >= 500) return retry(`${said}: see its log`, { afterMs: retryAfterMs(answer) });
      return retry(`${said}${redirection(answer)}: check sink.otlp.endpoint and sink.otlp.protocol`, {
        mayPass: false,
      });
  }
}

/** Where the answer sends the request: it may be another host, so nothing is sent there unless somebody configures it. */
function redirection(answer: HttpAnswer): string {
  const location = header(answer, 'location');
  return answer.status >= 400 || location === '' ? '' : `, to go to ${oneLine(location)}`;
}

/**
 * A body counts for what it is, because receivers and what is between often declare another type. Whatever is neither a
 * message of OTLP nor a web page says "OK" in words of its own.
 */
function judgeSuccess(answer: HttpAnswer, where: string): Verdict {
  const { body } = answer;
  const start = isPartialSuccess(body) ? '' : textStart(body);
  if (/html/.test(contentType(answer)) || start === '<') return judgeResponse(null, 'json', where);
  const encoding = isJson(answer) || start === '{' ? 'json' : 'protobuf';
  const decoded = judgeResponse(body, encoding, where);
  return decoded.kind === 'accepted' || isOtlp(answer)
    ? decoded
    : { kind: 'accepted', refused: 0, message: '' };
}

/**
 * Whether a body begins with the field `partial_success` of an ExportLogsServiceResponse (logs_service.proto). Its tag is
 * a line feed and its length may be a `<` or `{`, but what follows is the tag of `rejected_log_records` or of
 * `error_message`: control characters that are in no text.
 */
function isPartialSuccess(body: Uint8Array): boolean {
  return body[0] === 0x0a && (body[2] === 0x08 || body[2] === 0x12);
}

/** The first character of a text after the white space that JSON and HTML allow. */
function textStart(body: Uint8Array): string | undefined {
  return /[^ \t\r\n\f]/.exec(Buffer.from(body.subarray(0, 64)).toString('latin1'))?.[0];
}

/** Seconds or an HTTP date, RFC 9110 section 10.2.3. */
function retryAfterMs(answer: HttpAnswer): number | null {
  const value = header(answer, 'retry-after');
  return boundedPause(/^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now());
}

/** The receiver's own message, if the answer has one in a form that OTLP defines. */
function withMessage(answer: HttpAnswer): string {
  const message = isJson(answer) ? jsonMessage(answer.body) : decodeStatus(answer.body)?.message;
  return message ? `, "${oneLine(message)}"` : '';
}

function jsonMessage(body: Uint8Array): string | undefined {
  try {
    const { message } = Object(JSON.parse(Buffer.from(body).toString('utf8'))) as { message?: unknown };
    return typeof message === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}

/** A receiver of OTLP answers with protobuf or JSON for errors too. */
function isOtlp(answer: HttpAnswer): boolean {
  return isProtobuf(answer) || isJson(answer);
}

function isProtobuf(answer: HttpAnswer): boolean {
  return /^application\/(x-)?protobuf\b/.test(contentType(answer));
}

function isJson(answer: HttpAnswer): boolean {
  return /^application\/json\b/.test(contentType(answer));
}

/** In lower case: the names of media types know no case (RFC 9110, section 8.3.1). */
function contentType(answer: HttpAnswer): string {
  return header(answer, 'content-type').toLowerCase();
}

function header({ headers }: HttpAnswer, name: string): string {
  return String(headers[name] ?? '');
}
