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
 * - 200 is the only acknowledgement, and its body must be what a receiver of OTLP answers.
 * - 400 is about these events, 413 about their number.
 * - 401, 403, 404 and all others that the specification calls permanent are about the configuration or about the
 *   receiver. To refuse events because of them would lose all events for nothing, so they are sent again until somebody
 *   has solved the problem.
 */
export function judgeHttp(answer: HttpAnswer, where: string): Verdict {
  const { status } = answer;
  if (status === 200) return judgeResponse(answer.body, isJson(answer) ? 'json' : 'protobuf', where);
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
      return retry(said, { afterMs: retryAfterMs(header(answer, 'retry-after')) });
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
      if (status >= 500) return retry(`${said}: see its log`);
      return retry(`${said}: check sink.otlp.endpoint and sink.otlp.protocol`, { mayPass: false });
  }
}

/** Seconds or an HTTP date, RFC 9110 section 10.2.3. */
function retryAfterMs(value: string): number | null {
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
  return /^application\/(x-protobuf|json)\b/.test(header(answer, 'content-type'));
}

function isJson(answer: HttpAnswer): boolean {
  return header(answer, 'content-type').startsWith('application/json');
}

function header({ headers }: HttpAnswer, name: string): string {
  return String(headers[name] ?? '');
}
