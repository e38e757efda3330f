/** `ktc tcpaccept|tcpconnect|tcpconnlat|tcplife|tcpretrans|tcpstates`: one command for all six. */
import { constants } from 'node:os';
import { type ToolEnd, tellsAll, toolSession } from '../agent/tool-session.ts';
import { type ConfigResult, loadConfig } from '../config/load.ts';
import type { Source } from '../source/source.ts';
import { type Choice, readChoice } from '../tool/choice.ts';
import { probesOf } from '../tool/filter.ts';
import { helpOf } from '../tool/help.ts';
import { optionsOf, parserOptions } from '../tool/option.ts';
import { pageOf } from '../tool/page.ts';
import { createPrinter, notesOf } from '../tool/printer.ts';
import { TOOL_NAMES, TOOLS, type Tool, type ToolName } from '../tool/tool.ts';
import { EXIT, fail } from './exit.ts';
import { parseArguments } from './options.ts';

/** `ktc-<tool>-<pid>`; `ktc top` has one as well. */
export const TOOL_INSTANCE = new RegExp(`^ktc-(?:${TOOL_NAMES.join('|')}|top)-(\\d+)$`);
/** Per CPU: a burst of some 10,000 records, without asking for much memory on a machine of many CPUs. */
const BUFFER_KB = 1024;

export function say(line: string): void {
  process.stderr.write(`ktc: ${line}\n`);
}

/** Nothing of the host's configuration counts: a tool is to show the same everywhere. */
export function toolConfig(
  name: string,
  { from, source }: Pick<Choice, 'from' | 'source'>,
  probes: object,
): ConfigResult {
  return loadConfig({
    file: null,
    environment: {},
    flags: {},
    embedded: {
      source: {
        kind: from === null ? source : 'replay',
        ...(from !== null && { recording: from }),
        instance: `ktc-${name}-${process.pid}`,
        buffer_kb: BUFFER_KB,
        probes,
      },
      // A configuration must have one; a tool delivers nothing.
      sink: { stdout: { enabled: true } },
    },
  });
}

function describe(tool: Tool, choice: Choice, source: Source): void {
  for (const note of notesOf(tool, choice, tellsAll(source))) say(note);
  if (!choice.verbose) return;
  const { kind, instance, clock, probes } = source.status();
  say(`source ${kind} ${instance}, clock ${clock}, kernel ${source.kernel.release}`);
  for (const { name, enabled, filter, problem } of probes) {
    if (enabled) say(`probe ${name}: ${filter === '' ? 'every record' : `in the kernel: ${filter}`}`);
    else if (problem !== null) say(`probe ${name} is off: ${problem}`);
  }
  if (choice.from === null) say('all filters are decided again here, with the whole connection known');
}

/** The exit code of a session that has ended; every problem is printed. */
export function exitCode(end: ToolEnd): number {
  switch (end.kind) {
    case 'done':
      return EXIT.ok;
    case 'interrupted':
      // As a shell tells of a signal; what is still to be written would keep the process.
      return process.exit(128 + constants.signals[end.signal]);
    case 'damaged':
      return fail(EXIT.data, end.problem);
    case 'unavailable':
      return fail(EXIT.unavailable, end.problem);
    case 'not_permitted':
      return fail(
        EXIT.noPermission,
        end.problem,
        'to see what it prints without root: --from FILE, a recording',
      );
    case 'io':
      return fail(EXIT.io, end.problem);
  }
}

async function toolCommand(tool: Tool, words: readonly string[]): Promise<number> {
  const parsed = parseArguments({
    args: [...words],
    allowPositionals: true,
    options: parserOptions(optionsOf(tool.name)),
  });
  const usage = (problem: string) =>
    fail(EXIT.usage, `${tool.name}: ${problem}; ktc ${tool.name} --help lists the options`);
  if (!parsed.ok) return usage(parsed.problem);
  if (parsed.values['help'] === true) {
    process.stdout.write(helpOf(pageOf(tool)));
    return EXIT.ok;
  }
  const read = readChoice(tool, parsed.values, parsed.positionals);
  if (!read.ok) return usage(read.problem);
  const { choice } = read;
  const result = toolConfig(tool.name, choice, probesOf(tool, choice));
  // Of all that is in it, only the recording comes from the user.
  if (!result.ok) {
    return fail(EXIT.unavailable, ...result.problems.map(({ problem }) => `${choice.from} ${problem}`));
  }
  const { config } = result;
  const end = await toolSession({
    config,
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
  return exitCode(end);
}

/** Every tool as a command of `ktc`. */
export const toolCommands = Object.fromEntries(
  TOOL_NAMES.map((name) => [name, (words: readonly string[]) => toolCommand(TOOLS[name], words)]),
) as Readonly<Record<ToolName, (words: readonly string[]) => Promise<number>>>;
