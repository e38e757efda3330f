/** `ktc check`: what the agent would need and whether it is there. */
import type { Finding } from '../agent/check/finding.ts';
import { preflight } from '../agent/check/preflight.ts';
import { formatProblem } from '../config/problem.ts';
import { EXIT, fail } from './exit.ts';
import { configOptions, configOptionsHelp, parseArguments, readConfig } from './options.ts';
import { VERSION } from './version.ts';

const HELP = `Usage: ktc check [options]

Tries what the agent would open: kernel events as root, then, as process.user, sinks and the telemetry
port. Changes nothing.

Options:
      --json            for programs: a list of {name, verdict, detail}
${configOptionsHelp}  -h, --help            show this help

Exit codes: 0 all is there (warnings included), 1 something is missing, 64 wrong options,
78 wrong configuration.

Examples:
  ktc check
  ktc check --config agent.json --json | jq '.[] | select(.verdict != "ok")'
`;

const MARKS = { ok: 'ok', warning: 'WARNING', failed: 'FAILED' } as const;

function formatFindings(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  return findings
    .map(({ name, verdict, detail }) => `${name.padEnd(width)}  ${MARKS[verdict].padEnd(7)}  ${detail}\n`)
    .join('');
}

export async function checkCommand(words: readonly string[]): Promise<number> {
  const parsed = parseArguments({
    args: [...words],
    options: { ...configOptions, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  if (!parsed.ok) return fail(EXIT.usage, `check: ${parsed.problem}; ktc check --help lists the options`);
  const { values } = parsed;
  if (values.help === true) {
    process.stdout.write(HELP);
    return EXIT.ok;
  }
  const result = readConfig(values);
  if (!result.ok) return fail(EXIT.configuration, ...result.problems.map(formatProblem));
  const findings = await preflight(result, VERSION, () => readConfig(values));
  process.stdout.write(
    values.json === true ? `${JSON.stringify(findings, null, 2)}\n` : formatFindings(findings),
  );
  return findings.some(({ verdict }) => verdict === 'failed') ? EXIT.failed : EXIT.ok;
}
