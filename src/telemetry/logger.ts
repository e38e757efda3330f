/** The agent's log: pino's JSON lines on stderr, one readable line each where stderr is a terminal. */
import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { type DestinationStream, type LevelWithSilent, type Logger, pino, stdTimeFunctions } from 'pino';
import { humanLine } from './human-line.ts';

export type LogLevel = LevelWithSilent;

const STDERR = 2;

const SECRET_NAMES = ['password', 'passphrase', 'secret', 'token', 'authorization'];
const REDACTED = '[redacted]';
const CREDENTIALS_IN_URL = /(:\/\/[^\s/:@"]*:)[^\s/@"]+@/g;

export interface Logging {
  readonly log: Logger;
  /** Sets the level of `log` and of its children without a level of their own; ends debugging. */
  setLevel(level: LogLevel): void;
  /** Switches to `debug`, or back to the level that was set; returns the new level. */
  toggleDebug(): LogLevel;
}

/**
 * Makes the log. Lines are written synchronously, so that the last lines before a crash are not lost.
 *
 * @param stream takes complete JSON lines; stderr when not given
 */
export function createLogger({
  level,
  stream = stderrStream(),
}: {
  level: LogLevel;
  stream?: DestinationStream;
}): Logging {
  let configured = level;

  const log = pino(
    {
      name: 'ktc',
      base: { pid: process.pid },
      level,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_NAMES.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: REDACTED },
      hooks: { streamWrite: (line) => line.replace(CREDENTIALS_IN_URL, `$1${REDACTED}@`) },
    },
    stream,
  );
  return {
    log,
    setLevel(next) {
      configured = next;
      log.level = next;
    },
    toggleDebug() {
      const next = log.level === configured ? 'debug' : configured;
      // Logged at the level `debug`, because the other level might hide it.
      if (next === configured) log.info(`log level goes back to ${next}`);
      log.level = next;
      if (next !== configured) log.info(`log level goes from ${configured} to ${next}`);
      return next;
    },
  };
}

/**
 * Toggles debug at SIGUSR2. SIGUSR1 belongs to Node.js, whose inspector the launcher switches off.
 *
 * @returns ends that
 */
export function toggleDebugOnSignal(logging: Logging): () => void {
  const toggle = () => {
    logging.toggleDebug();
  };
  process.on('SIGUSR2', toggle);
  return () => process.off('SIGUSR2', toggle);
}

/**
 * Writes each line at once. A line that stderr does not accept (a full disk, a pipe whose reader stands still or is
 * gone) is discarded: there is no other place to report it, and it is no reason to stop tracing. pino's own
 * destination would buffer it and, once its buffer is full, never write again.
 */
function stderrStream(): DestinationStream {
  const forPeople = isatty(STDERR);
  let torn = false;
  return {
    write(json) {
      const line = forPeople ? `${humanLine(json)}\n` : json;
      let rest = Buffer.from(torn ? `\n${line}` : line);
      const whole = rest.length;
      try {
        while (rest.length > 0) rest = rest.subarray(writeSync(STDERR, rest));
        torn = false;
      } catch {
        torn ||= rest.length < whole;
      }
    },
  };
}
