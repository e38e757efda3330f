/** `ktc tcpaccept|tcpconnect|tcpconnlat|tcplife|tcpretrans|tcpstates`. */
import { constants } from 'node:os';
import { type ToolEnd, tellsAll, toolSession } from '../agent/tool-session.ts';
import type { ConfigResult } from '../config/load.ts';
import { privateNames } from '../source/ftrace/instance.ts';
import type { Source } from '../source/source.ts';
import { type Choice, readChoice } from '../tool/choice.ts';
import { probesOf } from '../tool/filter.ts';
import { helpOf } from '../tool/help.ts';
import { optionsOf, parserOptions } from '../tool/option.ts';
import { pageOf } from '../tool/page.ts';
import { createPrinter, notesOf } from '../tool/printer.ts';
import { TOOL_NAMES, TOOLS, type Tool } from '../tool/tool.ts';
import { type Command, createCommand, usageError } from './command.ts';
import { EXIT, type ExitCode, exitCodeOf, fail, say } from './exit.ts';
import { loadEmbedded } from './options.ts';

/** The names of ftrace instances: `ktc-<tool>-<pid>`, and a number where that was taken; `ktc top` has one as well. */
export const TOOL_INSTANCE = privateNames(`ktc-(?:${TOOL_NAMES.join('|')}|top)-\\d+`);
/** KiB per CPU: room for a burst of some 10,000 records, and little memory on a machine of many CPUs. */
const BUFFER_KB = 1024;
/** A person waits for what a tool shows. */
const LINGER_MS = 30;

/** The configuration of a tool, which shows the same on every host: the host's configuration does not count. */
export function toolConfig(
  name: string,
  { from, source }: Pick<Choice, 'from' | 'source'>,
  probes: object,
): ConfigResult {
  return loadEmbedded({
    source: {
      kind: from === null ? source : 'replay',
      ...(from !== null && { recording: from }),
      instance: `ktc-${name}-${process.pid}`,
      buffer_kb: BUFFER_KB,
      probes,
    },
    batch: { linger_ms: LINGER_MS },
    // A configuration must have a sink; a tool delivers nothing.
    sink: { stdout: { enabled: true } },
  });
}

/** Reports why a tool has no configuration: of all its values, only the recording comes from the user. */
export function recordingError({ from }: Choice, { problems }: ConfigResult & { ok: false }): ExitCode {
  return fail(EXIT.unavailable, ...problems.map(({ problem }) => `${from} ${problem}`));
}

function describe(tool: Tool, choice: Choice, source: Source): void {
  for (const note of notesOf(tool, choice, tellsAll(source))) say(note);
  if (!choice.verbose) return;
  const { kind, instance, clock, probes } = source.status();
  say(`source ${kind} ${instance}, clock ${clock}, kernel ${source.kernel.release}`);
  for (const { name, enabled, filter, filteredBy, problem } of probes) {
    const where =
      filteredBy === 'kernel' ? 'in the kernel' : 'here, as the kernel would share it with others';
    if (enabled) say(`probe ${name}: ${filter === '' ? 'every record' : `${where}: ${filter}`}`);
    else if (problem !== null) say(`probe ${name} is off: ${problem}`);
  }
  if (choice.from === null) say('all filters are decided again here, with the whole connection known');
}

/** The exit code of a session that has ended; every problem is printed. */
export function toolExitCode(end: ToolEnd): ExitCode {
  // Like a shell (bash(1), "EXIT STATUS"). The output that is not written yet would keep the process alive.
  if (end.ok && end.value !== null) process.exit(128 + constants.signals[end.value]);
  return exitCodeOf(end, { not_permitted: 'to see what it prints without root: --from FILE, a recording' });
}

function createToolCommand(tool: Tool): Command {
  return createCommand({
    name: tool.name,
    help: helpOf(pageOf(tool)),
    options: parserOptions(optionsOf(tool.name)),
    takesWords: true,
    async run(values, words) {
      const read = readChoice(tool, values, words);
      if (!read.ok) return usageError(tool.name, read.problem);
      const choice = read.value;
      const result = toolConfig(tool.name, choice, probesOf(tool, choice));
      if (!result.ok) return recordingError(choice, result);
      const end = await toolSession({
        config: result.value.config,
        events: new Set([tool.event]),
        seconds: choice.seconds,
        staleInstances: TOOL_INSTANCE,
        stdout: process.stdout,
        say,
        view(source, facts) {
          describe(tool, choice, source);
          return createPrinter(tool, choice, facts);
        },
      });
      return toolExitCode(end);
    },
  });
}

/** Every tool as a command of `ktc`. */
export const toolCommands: Readonly<Record<string, Command>> = Object.fromEntries(
  TOOL_NAMES.map((name) => [name, createToolCommand(TOOLS[name])]),
);
