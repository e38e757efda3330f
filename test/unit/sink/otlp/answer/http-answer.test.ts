import { describe, expect, it } from 'vitest';
import { judgeHttp } from '../../../../../src/sink/otlp/answer/http-answer.ts';
import { message, partialSuccess } from '../../../../support/rpc-status.ts';

const WHERE = 'http://collector:4318/v1/logs';
const answer = (status: number, body: string | Buffer = '', headers: Record<string, string> = {}) =>
  judgeHttp({ status, headers, body: Buffer.from(body) }, WHERE);
const type = (value: string) => ({ 'content-type': value });
const accepted = (refused = 0, message = '') => ({ kind: 'accepted', refused, message });

describe('a success is an acknowledgement, as it is to the exporters of OpenTelemetry:', () => {
  it.each([200, 201, 202, 203, 204, 205, 206, 226, 299])('%i without a body', (status) => {
    expect(answer(status)).toEqual(accepted());
    expect(answer(status, '', type('application/json'))).toEqual(accepted());
    expect(answer(status, '', type('application/x-protobuf'))).toEqual(accepted());
    expect(answer(status, '', type('text/plain; charset=utf-8'))).toEqual(accepted());
  });

  it.each([
    ['an empty JSON object', '{}', 'application/json; charset=utf-8'],
    ['a media type in capitals', '{}', 'Application/JSON'],
    ['JSON of its own', '{"code":200,"status":[{"successful":10}]}', 'application/json'],
    ['JSON that is declared as protobuf', '{}', 'application/x-protobuf'],
    ['JSON that is declared as nothing', ' {"partialSuccess":{}}', ''],
    ['words', 'OK', 'text/plain'],
    ['words that are declared as nothing', 'Accepted', ''],
    ['a line', 'success\n', 'text/plain; charset=utf-8'],
    ['bytes', '\0\x01\x02', 'application/octet-stream'],
  ])('%s', (_, body, contentType) => {
    for (const status of [200, 202])
      expect(answer(status, body, contentType === '' ? {} : type(contentType))).toEqual(accepted());
  });

  it.each([200, 202])('%i that says how many events it has refused, whatever it is declared as', (status) => {
    const json = '{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"too old"}}';
    const refused = accepted(3, 'too old');
    for (const declared of [
      'application/json',
      'application/json;charset=UTF-8',
      'text/plain',
      'application/x-protobuf',
    ])
      expect(answer(status, json, type(declared))).toEqual(refused);
    for (const declared of ['application/x-protobuf', 'application/protobuf', 'application/octet-stream'])
      expect(answer(status, partialSuccess(3, 'too old'), type(declared))).toEqual(refused);
    expect(answer(status, partialSuccess(3, 'too old'))).toEqual(refused);
  });

  it.each(['application/x-protobuf', ''])('a message of any length is one, declared as "%s"', (declared) => {
    const headers = type(declared);
    for (let length = 0; length <= 300; length++) {
      const words = 'x'.repeat(length);
      expect(answer(200, partialSuccess(3, words), headers), `${length}`).toEqual(accepted(3, words));
      if (length < 2 || length > 127) continue;
      const text = 'x'.repeat(length - 2);
      const warning = message(1, message(2, text));
      expect(answer(200, warning, headers), `${length}`).toEqual(accepted(0, text));
    }
    // The two bytes of this length are a no-break space and a `<`.
    const long = (0x3c << 7) + 0x20 - 5;
    expect(answer(200, partialSuccess(3, 'x'.repeat(long)), headers)).toMatchObject(
      accepted(3, expect.stringMatching(/^x/)),
    );
  });

  it('a text of any length after a line feed is not a message', () => {
    for (let length = 0; length <= 300; length++) {
      const rest = 'x'.repeat(length);
      expect(answer(200, `\n<p>${rest}`)).toMatchObject({ kind: 'retry', mayPass: false });
      const json = JSON.stringify({ partialSuccess: { rejectedLogRecords: '3', errorMessage: rest } });
      expect(answer(200, `\n${json}`)).toEqual(accepted(3, rest));
    }
  });

  it.each([
    ['a page', '<html>Please log in</html>', 'text/html'],
    ['a page without a type', '\n<!DOCTYPE html><title>Login</title>', ''],
    ['a page that is declared as text', '<html></html>', 'text/plain'],
    ['what is declared as JSON and is not', 'ok', 'application/json'],
    ['what is declared as protobuf and is not', 'garbage', 'application/x-protobuf'],
  ])('but %s comes from something in between', (_, body, contentType) => {
    for (const status of [200, 202, 203])
      expect(answer(status, body, contentType === '' ? {} : type(contentType))).toMatchObject({
        kind: 'retry',
        mayPass: false,
      });
  });
});

describe('an answer that asks for another try', () => {
  it.each([429, 502, 503, 504, 500, 501, 507, 520])('%i is heard about the pause', (status) => {
    expect(answer(status, '', { 'retry-after': '7' })).toMatchObject({
      kind: 'retry',
      afterMs: 7_000,
      mayPass: true,
    });
    expect(answer(status)).toMatchObject({ kind: 'retry', afterMs: null, mayPass: true });
  });

  it.each([
    ['0', null],
    ['1', 1_000],
    ['-5', null],
    ['1.5', null],
    ['soon', null],
    ['', null],
    ['Thu, 01 Jan 1970 00:00:00 GMT', null],
    ['99999999999999999999', 600_000],
  ])('with Retry-After "%s" waits for %s ms, null for the pause of every sink', (value, afterMs) => {
    expect(answer(429, '', { 'retry-after': value })).toMatchObject({ kind: 'retry', afterMs });
  });
});

describe('a redirection', () => {
  it.each([301, 302, 303, 307, 308])('%i is not followed, and its goal is told', (status) => {
    const location = 'https://collector.example.net/v1/logs\n';
    expect(answer(status, '', { location })).toMatchObject({
      kind: 'retry',
      mayPass: false,
      reason:
        `OTLP receiver ${WHERE} answers ${status}, to go to https://collector.example.net/v1/logs: ` +
        'check sink.otlp.endpoint and sink.otlp.protocol',
    });
  });
});

describe('a redirection or a refusal of the request itself', () => {
  it.each([301, 302, 307, 308, 401, 403, 404, 405, 406, 407, 411, 415, 421, 426, 431, 451])(
    '%i loses nothing and is for the operator',
    (status) => {
      expect(answer(status)).toMatchObject({ kind: 'retry', mayPass: false });
    },
  );
});
