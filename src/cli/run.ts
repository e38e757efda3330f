/** `ktc run`: the agent. */
import local from '../../config/local.json' with { type: 'json' };
import { EXIT, fail } from './exit.ts';
import { configOptions, configOptionsHelp, parseArguments, readConfig } from './options.ts';
import { runAgent } from './session.ts';

const HELP = `Usage: ktc run [options]

Reads kernel TCP events and delivers them to the configured sinks until SIGTERM or SIGINT.
SIGHUP reloads the configuration, SIGUSR2 toggles debug logging.

Options:
      --local           no configuration needed: a live table here, NDJSON in ktc-events.ndjson
${configOptionsHelp}  -h, --help            show this help

Exit codes: 0 stopped, 64 wrong options, 69 no kernel events or no such topic, 77 not permitted,
78 wrong configuration.

Examples:
  ktc run
  ktc run --local
  ktc run --config agent.json --set log.level=debug
`;

const LOCAL_HINT = 'to see what it prints without root: ktc replay';

export async function runCommand(words: readonly string[]): Promise<number> {
  const parsed = parseArguments({
    args: [...words],
    options: { ...configOptions, local: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  if (!parsed.ok) return fail(EXIT.usage, `run: ${parsed.problem}; ktc run --help lists the options`);
  const { values } = parsed;
  if (values.help === true) {
    process.stdout.write(HELP);
    return EXIT.ok;
  }
  const read = () => readConfig(values, values.local === true ? local : undefined);
  return runAgent(read(), { reread: read }, LOCAL_HINT);
}
