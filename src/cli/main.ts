/** The entry: finds the command and ends the process with its exit code. */
import { isStopWished } from '../agent/signals.ts';
import { hasErrorCode, isSystemError } from '../shared/errors.ts';
import { checkCommand } from './check.ts';
import type { Command } from './command.ts';
import { configCommand } from './config.ts';
import { demoCommand, demoTrafficCommand } from './demo.ts';
import { EXIT, fail, print } from './exit.ts';
import { moduleCommand } from './module.ts';
import { type CommandName, overviewText } from './overview.ts';
import { recordCommand } from './record.ts';
import { replayCommand } from './replay.ts';
import { reportCommand } from './report.ts';
import { runCommand } from './run.ts';
import { spoolCommand } from './spool.ts';
import { statusCommand } from './status.ts';
import { toolCommands } from './tool.ts';
import { topCommand } from './top.ts';
import { VERSION } from './version.ts';

const OWN_COMMANDS: Readonly<Record<CommandName, Command>> = {
  run: runCommand,
  demo: demoCommand,
  check: checkCommand,
  status: statusCommand,
  config: configCommand,
  spool: spoolCommand,
  module: moduleCommand,
  record: recordCommand,
  replay: replayCommand,
  report: reportCommand,
};

const COMMANDS: Readonly<Record<string, Command>> = {
  ...OWN_COMMANDS,
  ...toolCommands,
  top: topCommand,
  'demo-traffic': demoTrafficCommand,
};

// The reader of our output may end (`ktc status | head`), and a disk may be full: neither is a bug. Commands that
// write as long as they run have a listener of their own, because they have to close what they opened. What standard error
// does not take cannot be told anywhere.
process.stderr.on('error', () => {});
process.stdout.on('error', (error) => {
  if (hasErrorCode(error, 'EPIPE') || process.stdout.listenerCount('error') > 1) return;
  process.exit(fail(EXIT.io, `standard output: ${error.message}`));
});

async function main(words: readonly string[]): Promise<number> {
  const [name = '', ...rest] = words;
  if (name === '--version') return print(`${VERSION}\n`);
  if (name === '--help' || name === '-h' || name === 'help') return print(overviewText(VERSION));
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    return fail(
      EXIT.usage,
      name === ''
        ? 'name a command; ktc --help lists them'
        : `there is no command ${name}; ktc --help lists them`,
    );
  }
  return command(rest);
}

/** What standard output has not taken so long after the end of a command that was to stop, it will not take. */
const LAST_OUTPUT_MS = 500;

// Node.js makes writes to a terminal wait, and Ctrl-S would make them wait for ever, with every signal behind them.
for (const stream of [process.stdout, process.stderr]) {
  const { _handle: handle } = stream as { _handle?: { setBlocking?: (isBlocking: boolean) => number } };
  if (stream.isTTY) handle?.setBlocking?.(false);
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
    if (isStopWished()) setTimeout(() => process.exit(), LAST_OUTPUT_MS).unref();
  },
  (error: unknown) => {
    if (isSystemError(error)) {
      process.exitCode = fail(EXIT.io, error.message);
      return;
    }
    // A bug: print the whole stack, so that the report helps.
    process.stderr.write(
      `ktc: this is a bug, please report it:\n${error instanceof Error ? error.stack : String(error)}\n`,
    );
    process.exitCode = EXIT.bug;
  },
);
