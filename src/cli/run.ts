/** `ktc run`: the agent. */
import local from '../../config/local.json' with { type: 'json' };
import { createCommand } from './command.ts';
import { configOptions, configOptionsHelp, readConfig } from './options.ts';
import { runAgent } from './session.ts';

const HELP = `Usage: ktc run [options]

Reads kernel TCP events and delivers them to the configured sinks until SIGTERM or SIGINT.
SIGHUP reloads the configuration, SIGURG emits a host_status, SIGUSR2 toggles debug logging.

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

const HINT = 'to see what it prints without root: ktc replay';

export const runCommand = createCommand({
  name: 'run',
  help: HELP,
  options: { ...configOptions, local: { type: 'boolean' } },
  run(values) {
    const read = () => readConfig(values, values.local === true ? local : undefined);
    return runAgent(read(), { reread: read }, { unavailable: HINT, not_permitted: HINT });
  },
});
