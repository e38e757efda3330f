import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { humanLine } from '../../../src/telemetry/human-line.ts';
import { createLogger, type LogLevel, toggleDebugOnSignal } from '../../../src/telemetry/logger.ts';
import { collectLines } from './log-lines.ts';

const LOGGER_MODULE = new URL('../../../src/telemetry/logger.ts', import.meta.url).href;

/** A whole process that logs one line, for what depends on its real stderr. */
const ONE_LINE = `
  const { createLogger } = await import(${JSON.stringify(LOGGER_MODULE)});
  createLogger({ level: 'info' }).log.warn({ sink: 'kafka', why: 'no route' }, 'sink is away');
  console.log('still alive');
`;

function loggingTo(level: LogLevel) {
  const lines = collectLines();
  return { ...createLogger({ level, stream: lines.stream }), lines };
}

test('a line is JSON with time, level, name, pid, fields and message, and nothing else', () => {
  const { log, lines } = loggingTo('info');
  const before = Date.now();
  log.warn({ sink: 'kafka', attempt: 3 }, 'broker is away');
  const [line] = lines.all();
  expect(line).toEqual({
    level: 'warn',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    pid: process.pid,
    name: 'ktc',
    sink: 'kafka',
    attempt: 3,
    msg: 'broker is away',
  });
  expect(Date.parse(String(line?.['time']))).toBeGreaterThanOrEqual(before);
});

test('a message with any bytes stays one line', () => {
  const { log, lines } = loggingTo('info');
  log.info({ comm: 'a\nb\u001b[31m"\\' }, 'first\nsecond');
  expect(lines.raw).toHaveLength(1);
  expect(lines.raw[0]?.slice(0, -1)).not.toContain('\n');
  expect(lines.all()[0]).toMatchObject({ comm: 'a\nb\u001b[31m"\\', msg: 'first\nsecond' });
});

test('secrets never reach the log, by name at any depth in use, nor inside a URL', () => {
  const { log, lines } = loggingTo('info');
  log.info(
    {
      password: 'hunter2',
      sasl: { username: 'ktc', password: 'hunter2' },
      kafka: { sasl: { password: 'hunter2' }, headers: { authorization: 'Bearer hunter2' } },
      tls: { passphrase: 'hunter2' },
      url: 'https://ktc:hunter2@collector:4318/v1/logs',
    },
    'sending to https://ktc:hunter2@collector:4318 failed',
  );
  log.child({ token: 'hunter2' }).info('from a child');
  expect(lines.raw.join('')).not.toContain('hunter2');
  expect(lines.all()[0]).toMatchObject({
    sasl: { username: 'ktc', password: '[redacted]' },
    url: 'https://ktc:[redacted]@collector:4318/v1/logs',
  });
});

test('a new level holds for the log and for children made before', () => {
  const { log, setLevel, lines } = loggingTo('info');
  const child = log.child({ part: 'source' });
  child.debug('not shown');
  setLevel('debug');
  child.debug('shown');
  setLevel('error');
  child.warn('not shown either');
  log.error('shown too');
  expect(lines.messages()).toEqual(['shown', 'shown too']);
});

test('toggling goes to debug and back to the level that was set, and says both', () => {
  const { log, toggleDebug, lines } = loggingTo('error');
  expect(toggleDebug()).toBe('debug');
  log.debug('details');
  expect(toggleDebug()).toBe('error');
  log.debug('not shown');
  expect(lines.messages()).toEqual([
    'log level goes from error to debug',
    'details',
    'log level goes back to error',
  ]);
});

test('toggling where debug is the level set changes nothing', () => {
  const { toggleDebug, lines } = loggingTo('debug');
  expect([toggleDebug(), toggleDebug()]).toEqual(['debug', 'debug']);
  expect(lines.raw).toHaveLength(2);
});

test('a reload ends debugging: the level set last is the one to come back to', () => {
  const { toggleDebug, setLevel, log } = loggingTo('info');
  toggleDebug();
  setLevel('warn');
  expect(log.level).toBe('warn');
  expect([toggleDebug(), toggleDebug()]).toEqual(['debug', 'warn']);
});

test('SIGUSR2 toggles debug until the signal is given back', async () => {
  const logging = loggingTo('info');
  const handlers = process.listenerCount('SIGUSR2');
  const release = toggleDebugOnSignal(logging);
  for (const expected of ['debug', 'info']) {
    const arrived = once(process, 'SIGUSR2');
    process.kill(process.pid, 'SIGUSR2');
    await arrived;
    expect(logging.log.level).toBe(expected);
  }
  release();
  expect(process.listenerCount('SIGUSR2')).toBe(handlers);
});

test('stderr gets JSON when it is no terminal', () => {
  const { stderr, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', ONE_LINE], {
    encoding: 'utf8',
  });
  expect(stdout).toBe('still alive\n');
  expect(JSON.parse(stderr)).toMatchObject({ level: 'warn', sink: 'kafka', msg: 'sink is away' });
});

test('stderr gets a readable line when it is a terminal', () => {
  const command = `exec '${process.execPath}' --input-type=module -e "$SCRIPT"`;
  // script(1) runs the command on a terminal of its own.
  const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], {
    encoding: 'utf8',
    env: { ...process.env, SCRIPT: ONE_LINE },
  });
  expect(stdout.replaceAll('\r', '')).toMatch(
    /^\d\d:\d\d:\d\d\.\d{3} WARN {2}sink is away {2}sink=kafka why="no route"\nstill alive\n$/,
  );
});

test('a log that cannot be written does not end the process', () => {
  const { status, stdout, error } = spawnSync(process.execPath, ['--input-type=module', '-e', ONE_LINE], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', openSync('/dev/full', 'w')],
  });
  expect(error).toBeUndefined();
  expect({ status, stdout }).toEqual({ status: 0, stdout: 'still alive\n' });
});

test('a readable line cannot steer the terminal, and what is no JSON passes through', () => {
  expect(
    humanLine(
      '{"level":"info","time":"2026-11-24T02:15:19.250Z","pid":1,"name":"ktc","msg":"comm \\u001b[2J\\nx"}',
    ),
  ).toBe('02:15:19.250 INFO  comm \\x1b[2J\\x0ax');
  expect(humanLine('plain\u0007 words\n')).toBe('plain\\x07 words');
});

test('docs/telemetry.md shows one entry in both forms as they are', () => {
  const page = readFileSync(new URL('../../../docs/telemetry.md', import.meta.url), 'utf8').split('\n');
  const entry = page.find((line) => line.startsWith('{"level"')) ?? '';
  const { log, lines } = loggingTo('info');
  const { level: _level, time: _time, pid: _pid, name: _name, msg, ...fields } = JSON.parse(entry);
  log.warn(fields, msg);
  const written = lines.raw[0] ?? '';
  expect(
    written.replace(/"time":"[^"]+"/, '"time":"2026-11-24T02:15:19.250Z"').replace(/"pid":\d+/, '"pid":4711'),
  ).toBe(`${entry}\n`);
  expect(page).toContain(humanLine(entry));
});
