import { chmodSync, chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { assert, describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { formatConfigJson, formatConfigTable } from '../../../src/config/show.ts';
import { readPassword } from '../../../src/setting/secret.ts';
import { makeFiles, runConfig } from '../config/command.ts';

function revealed(result: ReturnType<typeof readPassword>): string {
  assert(result.ok);
  return result.value.reveal();
}

describe('a password file', () => {
  const check = async (content: string | null, prepare: (path: string) => void = () => {}) => {
    const directory = makeFiles(content === null ? {} : { 'secret-password': content });
    const path = join(directory, 'secret-password');
    prepare(path);
    const flags = {
      'sink.kafka.enabled': 'true',
      'sink.kafka.brokers': 'kafka-1:9092',
      'sink.kafka.sasl.mechanism': 'scram-sha-256',
      'sink.kafka.sasl.username': 'ktc',
      'sink.kafka.sasl.password_file': path,
    };
    const agent = makeFiles({ 'agent.json': {} });
    const args = Object.entries(flags).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
    return runConfig(['check', '--config', join(agent, 'agent.json'), ...args]);
  };
  const refusal = (problem: string) => ({
    code: 78,
    stdout: '',
    stderr: `ktc: --set: sink.kafka.sasl.password_file: ${problem}\n`,
  });

  it('of mode 0600 is taken', async () => {
    expect(await check('hunter2\n')).toEqual({ code: 0, stdout: 'ok\n', stderr: '' });
  });

  it.each(['0604', '0640', '0660', '0644', '0700'])('of mode %s is refused', async (mode) => {
    expect(await check('hunter2\n', (path) => chmodSync(path, Number.parseInt(mode, 8)))).toEqual(
      refusal(`has mode ${mode}, which lets others in: chmod it to 0600`),
    );
  });

  it.each(['', '\n', '\r\n'])('with nothing but %j is refused', async (content) => {
    expect(await check(content)).toEqual(refusal('is empty'));
  });

  it.each([
    ['a byte order mark', '\ufeffhunter2'],
    ['a byte order mark and a line break', '\ufeffhunter2\r\n'],
    ['a line break of Windows', 'hunter2\r\n'],
    ['no line break', 'hunter2'],
  ])('with %s holds the same password', (_, content) => {
    const path = join(makeFiles({ 'secret-password': content }), 'secret-password');
    expect(revealed(readPassword(path, ''))).toBe('hunter2');
  });

  it.each([
    ['letters of other languages', ' pässwörd密 \n', ' pässwörd密 '],
    ['a mark that is no byte order mark', 'hunter\ufeff2', 'hunter\ufeff2'],
  ])('with %s is taken as it is', (_, content, password) => {
    const path = join(makeFiles({ 'secret-password': content }), 'secret-password');
    expect(revealed(readPassword(path, ''))).toBe(password);
  });

  it.each([
    ['UTF-16, as Windows writes it', Buffer.from('\ufeffhunter2\r\n', 'utf16le')],
    ['ISO 8859-1', Buffer.from('p\xe4ssword', 'latin1')],
    ['a key in binary', Buffer.from([0x68, 0x00, 0x32])],
    ['nothing but a byte order mark of UTF-16', Buffer.from([0xff, 0xfe])],
  ])('in %s is refused', async (_, content) => {
    expect(await check('', (path) => writeFileSync(path, content))).toEqual(refusal('must be text in UTF-8'));
  });

  it('with two lines is refused', async () => {
    expect(await check('ktc\nhunter2\n')).toEqual(refusal('must hold the password alone, on one line'));
  });

  it('that is not there is refused', async () => {
    expect(await check(null)).toEqual(refusal('cannot be read: no such file or directory'));
  });

  const isRoot = process.geteuid?.() === 0;
  it.skipIf(!isRoot)('of another user is refused (needs root to make one)', async () => {
    expect(await check('hunter2', (path) => chownSync(path, 12345, 12345))).toEqual(
      refusal('belongs to user 12345: chown it to root or to user 0'),
    );
  });

  it.skipIf(!isRoot)('that cannot be read is refused (needs root to make one)', async () => {
    try {
      // Made as root in a directory that only root enters, then checked as nobody.
      expect(await check('hunter2', () => process.seteuid?.('nobody'))).toEqual(
        refusal('cannot be read: permission denied'),
      );
    } finally {
      process.seteuid?.(0);
    }
  });
});

describe('a file of headers', () => {
  const load = (content: string, mode = 0o600) => {
    const directory = makeFiles({ 'secret-headers': content });
    const path = join(directory, 'secret-headers');
    chmodSync(path, mode);
    const flags = { 'sink.otlp.enabled': 'true', 'sink.otlp.headers_file': path };
    return loadConfig({ file: null, environment: {}, flags });
  };
  const problemOf = (content: string, mode?: number) => {
    const result = load(content, mode);
    return result.ok ? null : result.problems.map(({ path, problem }) => `${path}: ${problem}`);
  };

  it.each([
    ['lines', 'Authorization: Bearer hunter2\r\n\n  x-tenant :  net : 1  \n'],
    ['JSON', ' {"Authorization": "Bearer hunter2", "x-tenant": "net : 1"}\n'],
  ])('of %s is read, and nothing shows its values', (_, content) => {
    const result = load(content);
    assert(result.ok);
    const { otlp } = result.value.secrets;
    expect(Object.entries(otlp).map(([name, value]) => [name, value.reveal()])).toEqual([
      ['authorization', 'Bearer hunter2'],
      ['x-tenant', 'net : 1'],
    ]);
    const shown = [
      formatConfigTable(result.value),
      formatConfigJson(result.value),
      inspect(result, { depth: 9 }),
    ];
    expect(shown.join()).not.toContain('hunter2');
    expect(shown[0]).toMatch(/^sink\.otlp\.headers\.authorization +\[redacted\] /m);
  });

  it.each([
    ['hunter2', 'must be lines of `name: value`, or a JSON object'],
    ['{"authorization": ["hunter2"]}', 'must be a JSON object of strings'],
    ['{"authorization": hunter2}', 'must be a JSON object of strings'],
    [
      'ok: 1\nHost: hunter2',
      'header 2 of the file must have the name of an HTTP header that the agent does not set itself',
    ],
    [
      'authorization: hünter2',
      'the value of header 1 of the file must be 1 to 8192 printable ASCII characters',
    ],
    ['', 'is empty'],
  ])('%j is refused without its content', (content, problem) => {
    expect(problemOf(content)).toEqual([`sink.otlp.headers_file: ${problem}`]);
  });

  it('that others may read is refused', () => {
    expect(problemOf('authorization: hunter2', 0o644)).toEqual([
      'sink.otlp.headers_file: has mode 0644, which lets others in: chmod it to 0600',
    ]);
  });
});
