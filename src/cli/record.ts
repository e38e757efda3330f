/** `ktc record`: writes the kernel's records into a file, which `ktc replay` reads. */
import { recordSession } from '../agent/record-session.ts';
import { createCommand } from './command.ts';
import { EXIT, exitCodeOf, fail, print } from './exit.ts';
import { configOptions, configOptionsHelp, configurationError, readConfig, secondsOf } from './options.ts';

const HELP = `Usage: ktc record --output FILE [options]

Records the kernel's TCP events as raw pages, with all that is needed to read them elsewhere.
Ends after --duration, or with SIGINT or SIGTERM.

Options:
  -o, --output FILE     the recording; an existing file is overwritten
      --duration S      stop after so many seconds
${configOptionsHelp}  -h, --help            show this help

Only source.* and host_status.* of the configuration count, and only if one is named.

Exit codes: 0 recorded, 64 wrong options, 69 no kernel events, 74 the file cannot be written,
77 not permitted, 78 wrong configuration.

Examples:
  ktc record --output trouble.ktcrec --duration 60
`;

/** `ktc record` has no sinks, but a configuration must have one. */
const NO_SINK = { sink: { stdout: { enabled: true } }, source: { instance: 'ktc-record' } };

export const recordCommand = createCommand({
  name: 'record',
  help: HELP,
  options: {
    ...configOptions,
    output: { type: 'string', short: 'o' },
    duration: { type: 'string' },
  },
  async run(values) {
    const { output, duration, config = null } = values;
    if (output === undefined) return fail(EXIT.usage, 'record: name the file with --output');
    const seconds = secondsOf(duration);
    if (!(seconds > 0)) return fail(EXIT.usage, `record: --duration ${duration} is not a number of seconds`);
    const result = readConfig({ ...values, config }, NO_SINK);
    if (!result.ok) return configurationError(result);

    const end = await recordSession({ config: result.value.config, path: output, seconds });
    if (!end.ok) return exitCodeOf(end);
    const { records, pages, lost, bytes } = end.value;
    return print(`${records} records on ${pages} pages, ${lost} lost, ${bytes} bytes in ${output}\n`);
  },
});
