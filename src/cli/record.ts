/** `ktc record`: keeps what the kernel says in a file that `ktc replay` gives again. */
import { recordSession } from '../agent/record-session.ts';
import { formatProblem } from '../config/problem.ts';
import { EXIT, fail } from './exit.ts';
import { configOptions, configOptionsHelp, parseArguments, readConfig } from './options.ts';

const HELP = `Usage: ktc record --output FILE [options]

Records the kernel's TCP events as raw pages, with all that is needed to read them elsewhere.
Ends after --duration, or with SIGINT or SIGTERM.

Options:
  -o, --output FILE     the recording; an existing file is overwritten
      --duration S      stop after so many seconds
${configOptionsHelp}  -h, --help            show this help

Only source.* of the configuration counts, and only if one is named.

Exit codes: 0 recorded, 64 wrong options, 69 no kernel events, 74 the file cannot be written,
77 not permitted, 78 wrong configuration.

Examples:
  ktc record --output trouble.ktcrec --duration 60
`;

/** `ktc record` has no sinks, but a configuration must have one. */
const NO_SINK = { sink: { stdout: { enabled: true } }, source: { instance: 'ktc-record' } };

export async function recordCommand(words: readonly string[]): Promise<number> {
  const parsed = parseArguments({
    args: [...words],
    options: {
      ...configOptions,
      output: { type: 'string', short: 'o' },
      duration: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (!parsed.ok) return fail(EXIT.usage, `record: ${parsed.problem}; ktc record --help lists the options`);
  const { values } = parsed;
  if (values.help === true) {
    process.stdout.write(HELP);
    return EXIT.ok;
  }
  if (values.output === undefined) return fail(EXIT.usage, 'record: name the file with --output');
  const seconds = values.duration === undefined ? Number.POSITIVE_INFINITY : Number(values.duration);
  if (!(seconds > 0))
    return fail(EXIT.usage, `record: --duration ${values.duration} is not a number of seconds`);
  const result = readConfig({ ...values, config: values.config ?? null }, NO_SINK);
  if (!result.ok) return fail(EXIT.configuration, ...result.problems.map(formatProblem));

  const end = await recordSession({ config: result.config, path: values.output, seconds });
  switch (end.kind) {
    case 'done':
      process.stdout.write(
        `${end.records} records on ${end.pages} pages, ${end.lost} lost, ${end.bytes} bytes in ${values.output}\n`,
      );
      return EXIT.ok;
    case 'not_permitted':
      return fail(EXIT.noPermission, end.problem);
    case 'unavailable':
      return fail(EXIT.unavailable, end.problem);
    case 'io':
      return fail(EXIT.io, end.problem);
  }
}
