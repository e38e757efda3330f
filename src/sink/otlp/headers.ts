/** HTTP headers that the operator adds: in the configuration, or in a file where they are secret. */
import { isObject } from '../../setting/key.ts';
import { decodeJson, text } from '../../setting/kind.ts';
import { createSecret, readSecret, type Secret } from '../../setting/secret.ts';
import { type Result, refusal, success } from '../../shared/result.ts';

/**
 * Headers that the sink sets itself, and headers of the connection, which HTTP/2 forbids (RFC 9113, section 8.2.2).
 */
const RESERVED =
  /^(content-.*|host|expect|te|trailer|transfer-encoding|connection|keep-alive|proxy-connection|upgrade|http2-settings)$/i;
/** Names that gRPC reserves. */
const OF_GRPC = /^grpc-|-bin$/i;

export const headerName = text(
  'the name of an HTTP header that the agent does not set itself',
  (value) =>
    /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/.test(value) && !RESERVED.test(value) && !OF_GRPC.test(value),
);

export const headerValue = text('1 to 8192 printable ASCII characters', (value) =>
  /^[\x20-\x7e]{1,8192}$/.test(value),
);

/** By lower-case name. */
export type SecretHeaders = Readonly<Record<string, Secret>>;

const FORM = 'lines of `name: value`, or a JSON object';

/** Reads a file with a JSON object of strings, or lines of `name: value`. Problems contain nothing of its content. */
export function readHeaders(path: string, agentUser: string): Result<SecretHeaders> {
  const file = readSecret(path, agentUser);
  if (!file.ok) return file;
  const content = file.value.reveal();
  const json = content.trimStart().startsWith('{');
  const pairs = json ? pairsOfJson(content) : pairsOfLines(content);
  if (pairs === null) return refusal(`must be ${json ? 'a JSON object of strings' : FORM}`);
  for (const [index, [name, value]] of pairs.entries()) {
    const which = `header ${index + 1} of the file`;
    if (!headerName.accepts(name)) return refusal(`${which} must have ${headerName.expects}`);
    if (!headerValue.accepts(value)) return refusal(`the value of ${which} must be ${headerValue.expects}`);
  }
  const headers = pairs.map(([name, value]) => [name.toLowerCase(), createSecret(value)] as const);
  return success(Object.fromEntries(headers));
}

/** Null when the content is no JSON object of strings. */
function pairsOfJson(content: string): [string, string][] | null {
  const value = decodeJson(content);
  if (!isObject(value)) return null;
  const pairs = Object.entries(value).flatMap(([name, item]) =>
    typeof item === 'string' ? [[name, item] as [string, string]] : [],
  );
  return pairs.length === Object.keys(value).length ? pairs : null;
}

/** Null when a line is not `name: value`. */
function pairsOfLines(content: string): [string, string][] | null {
  const pairs: [string, string][] = [];
  for (const line of content.split(/\r?\n/)) {
    if (line.trim() === '') continue;
    const [, name = '', value = ''] = /^\s*([^:\s]+)\s*:\s*(.*?)\s*$/.exec(line) ?? [];
    if (name === '') return null;
    pairs.push([name, value]);
  }
  return pairs;
}
