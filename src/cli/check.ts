/** `ktc check`: whether this host has everything that the agent needs. */
import type { Finding } from '../agent/check/finding.ts';
import { preflight } from '../agent/check/preflight.ts';
import { formatTable } from '../shared/table.ts';
import { createCommand } from './command.ts';
import { EXIT, print } from './exit.ts';
import { configOptions, configOptionsHelp, configurationError, readConfig } from './options.ts';
import { VERSION } from './version.ts';

const HELP = `Usage: ktc check [options]

Tries what the agent would open: kernel events as root, then, as process.user, sinks and the telemetry
port. Changes nothing, and loads no kernel module.

Options:
      --json            for programs: a list of {name, verdict, detail}
${configOptionsHelp}  -h, --help            show this help

Exit codes: 0 all is there (warnings included), 1 something is missing, 64 wrong options,
78 wrong configuration.

Examples:
  ktc check
  ktc check --config agent.json --json | jq '.[] | select(.verdict != "ok")'
`;

/** Of the same width, so that the details of every check begin in the same column. */
const MARKS = { ok: 'ok     ', warning: 'WARNING', failed: 'FAILED ' } as const;

function formatFindings(findings: readonly Finding[]): string {
  return formatTable(findings.map(({ name, verdict, detail }) => [name, MARKS[verdict], detail]));
}

export const checkCommand = createCommand({
  name: 'check',
  help: HELP,
  options: { ...configOptions, json: { type: 'boolean' } },
  async run(values) {
    const result = readConfig(values);
    if (!result.ok) return configurationError(result);
    const findings = await preflight(result.value, VERSION, () => readConfig(values));
    print(values.json === true ? `${JSON.stringify(findings, null, 2)}\n` : formatFindings(findings));
    return findings.some(({ verdict }) => verdict === 'failed') ? EXIT.failed : EXIT.ok;
  },
});
