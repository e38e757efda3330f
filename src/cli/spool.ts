/** `ktc spool inspect|verify|drain`. */
import { sinkNames } from '../agent/assembly/sinks.ts';
import { drainSession } from '../agent/drain-session.ts';
import { sinkAccountLines } from '../ledger/account-lines.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { systemFiles } from '../pipeline/spool/disk/files.ts';
import { inspectSpool, type SpoolFacts } from '../pipeline/spool/inspect.ts';
import { verifySpool } from '../pipeline/spool/verify.ts';
import { isSystemError } from '../shared/errors.ts';
import { DONE, type Result, refusal } from '../shared/result.ts';
import { formatTable } from '../shared/table.ts';
import { bytes, escapeControls, grouped } from '../shared/text.ts';
import { createCommand } from './command.ts';
import { EXIT, type ExitCode, exitCodeOf, fail, print } from './exit.ts';
import { configOptions, configOptionsHelp, configurationError, readConfig, secondsOf } from './options.ts';
import { VERSION } from './version.ts';

const HELP = `Usage: ktc spool inspect [--json] [--directory DIR | options]
       ktc spool verify [--directory DIR | options]
       ktc spool drain [--timeout S] [options]

The events on disk that wait for a sink.

  inspect  lists the files, and how far each sink has come; also beside a running agent
  verify   reads everything and names each damaged place; also beside a running agent
  drain    delivers everything to the configured sinks, as process.user, while no agent runs;
           SIGINT or SIGTERM ends it, and the rest stays in the spool

Options:
      --directory DIR   look there, without any configuration
      --json            for programs: {directory, segments, cursors}
      --timeout S       end after so many seconds; without it, when the spool is empty
${configOptionsHelp}  -h, --help            show this help

Exit codes: 0 done: whole, or empty, 1 drain: something is left, 64 wrong options, 65 something is damaged,
69 no such directory, an agent is using it, or a sink cannot be had, 77 not permitted,
78 wrong configuration.

Examples:
  ktc spool inspect
  ktc spool verify --directory /var/lib/ktc/spool
  ktc spool drain --config agent.json --timeout 600
`;

interface Values {
  readonly config?: string;
  readonly set?: string[];
  readonly directory?: string;
  readonly json: boolean;
  readonly timeout?: string;
}

/** Refuses an option that does not go with the verb, or with another option. */
function checkOptions(verb: string | undefined, values: Values): Result {
  const { config, set, directory, json, timeout } = values;
  if (json && verb !== 'inspect') return refusal('--json belongs to inspect');
  if (timeout !== undefined && verb !== 'drain') return refusal('--timeout belongs to drain');
  if (directory === undefined) return DONE;
  if (verb === 'drain') return refusal('drain needs a configuration with sinks, not --directory');
  return config === undefined && set === undefined
    ? DONE
    : refusal('--directory and a configuration exclude each other');
}

/** Calls `work`, which only reads, with the directory of the spool and the sinks of the configuration. */
function look(values: Values, work: (directory: string, sinks: readonly string[]) => ExitCode): ExitCode {
  if (values.directory !== undefined) return lookInto(values.directory, [], work);
  const result = readConfig(values);
  if (!result.ok) return configurationError(result);
  const { config } = result.value;
  return lookInto(config.spool.directory, sinkNames(config), work);
}

function lookInto(
  directory: string,
  sinks: readonly string[],
  work: (directory: string, sinks: readonly string[]) => ExitCode,
): ExitCode {
  try {
    return work(directory, sinks);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    switch (error.code) {
      case 'ENOENT':
      case 'ENOTDIR':
        return fail(
          EXIT.unavailable,
          `there is no directory ${directory}: name the spool's with --directory`,
        );
      case 'EACCES':
        return fail(
          EXIT.noPermission,
          `cannot read ${error.path ?? directory}: ask as its owner, or as root`,
        );
      default:
        return fail(EXIT.io, error.message);
    }
  }
}

function counted(count: number, what: string): string {
  return `${grouped(count)} ${what}${count === 1 ? '' : 's'}`;
}

function time(milliseconds: number | null): string | null {
  return milliseconds === null ? null : new Date(milliseconds).toISOString();
}

function inspect(directory: string, sinks: readonly string[], json: boolean): ExitCode {
  const facts = inspectSpool(directory, sinks, systemFiles);
  return print(json ? factsJson(directory, facts) : factsText(facts));
}

function factsJson(directory: string, { segments, cursors }: SpoolFacts): string {
  const shown = segments.map(({ oldestMs, ...segment }) => ({ ...segment, oldest: time(oldestMs) }));
  return `${JSON.stringify({ directory, segments: shown, cursors }, null, 2)}\n`;
}

function factsText({ segments, cursors }: SpoolFacts): string {
  const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
  const events = sum(segments.map((segment) => segment.events));
  const size = sum(segments.map((segment) => segment.bytes));
  const files = formatTable([
    ['FILE', 'STATE', 'FIRST', 'END', 'EVENTS', 'BYTES', 'OLDEST EVENT'],
    ...segments.map(({ file, state, first, end, events, bytes, oldestMs }) => [
      ...[file, state, grouped(first), grouped(end), grouped(events), grouped(bytes)],
      time(oldestMs) ?? '-',
    ]),
  ]);
  const sinks = formatTable([
    ['SINK', 'SETTLED UP TO', 'WAITING', 'CURSOR'],
    ...cursors.map(({ sink, ordinal, waiting, state }) => [
      ...[sink, ordinal === null ? '-' : grouped(ordinal), grouped(waiting), state],
    ]),
  ]);
  return `${files}${counted(segments.length, 'file')}, ${counted(events, 'event')}, ${bytes(size)}\n\n${sinks}`;
}

/** The bytes read between two updates of the progress. */
const PROGRESS_BYTES = 64 * 1024 * 1024;
const ERASE_LINE = '\r\x1b[K';

function verify(directory: string): ExitCode {
  const { stdout, stderr } = process;
  let damaged = 0;
  let read = 0;
  let shown = 0;
  const erase = () => {
    if (shown > 0 && stderr.isTTY) stderr.write(ERASE_LINE);
  };
  const place = (file: string, offset: number, what: string) => {
    erase();
    stdout.write(`${escapeControls(`${file}, offset ${offset}: ${what}`)}\n`);
  };
  const totals = verifySpool(directory, systemFiles, {
    damage(...where) {
      damaged++;
      place(...where);
    },
    note: place,
    progress(more) {
      read += more;
      if (read - shown < PROGRESS_BYTES || !stderr.isTTY) return;
      shown = read;
      stderr.write(`${ERASE_LINE}${bytes(read)} read`);
    },
  });
  erase();
  const { files, frames, events } = totals;
  const verdict = damaged === 0 ? 'whole' : `${counted(damaged, 'place')} damaged`;
  const parts = [counted(files, 'file'), counted(frames, 'frame'), counted(events, 'event')];
  stdout.write(`${parts.join(', ')}, ${bytes(totals.bytes)}: ${verdict}\n`);
  return damaged === 0 ? EXIT.ok : EXIT.data;
}

/** Writes to standard error, because standard output may be a sink. */
function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function progressLine({ sinks }: Ledger): string {
  const parts = Object.entries(sinks).map(([name, { recovered, spooled, queued, in_flight }]) => {
    const left = spooled + queued + in_flight;
    return `${name} ${grouped(recovered - left)} of ${grouped(recovered)}`;
  });
  return `drained: ${parts.join(', ')}`;
}

async function drain(values: Values, seconds: number): Promise<ExitCode> {
  const loaded = readConfig(values);
  if (!loaded.ok) return configurationError(loaded);
  const end = await drainSession({
    loaded: loaded.value,
    version: VERSION,
    timeoutMs: seconds * 1000,
    onProgress: (ledger) => say(progressLine(ledger)),
    onAccount: (ledger) => sinkAccountLines(ledger).forEach(say),
  });
  return exitCodeOf(end);
}

export const spoolCommand = createCommand({
  name: 'spool',
  help: HELP,
  options: {
    ...configOptions,
    directory: { type: 'string' },
    json: { type: 'boolean', default: false },
    timeout: { type: 'string' },
  },
  takesWords: true,
  run(values, [verb, ...more]) {
    if (more.length > 0) return fail(EXIT.usage, 'spool: too many words; see ktc spool --help');
    const checked = checkOptions(verb, values);
    if (!checked.ok) return fail(EXIT.usage, `spool: ${checked.problem}; see ktc spool --help`);
    const seconds = secondsOf(values.timeout);
    if (!(seconds >= 0))
      return fail(EXIT.usage, `spool: --timeout ${values.timeout} is not a number of seconds`);
    switch (verb) {
      case 'inspect':
        return look(values, (directory, sinks) => inspect(directory, sinks, values.json));
      case 'verify':
        return look(values, verify);
      case 'drain':
        return drain(values, seconds);
      default:
        return fail(EXIT.usage, 'spool needs one of inspect, verify, drain; see ktc spool --help');
    }
  },
});
