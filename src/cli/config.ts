/** `ktc config show|check|reference`. */
import { formatProblem } from '../config/problem.ts';
import { formatReference } from '../config/reference.ts';
import { formatConfigJson, formatConfigTable } from '../config/show.ts';
import { EXIT, fail } from './exit.ts';
import { configOptions, configOptionsHelp, parseArguments, readConfig } from './options.ts';

const HELP = `usage: ktc config show [--json] [options]   every value and the layer that set it
       ktc config check [options]           ok, or every mistake and exit code ${EXIT.configuration}
       ktc config reference                 all keys, as Markdown

${configOptionsHelp}      --json            for programs: {config, origins, secrets}; config is a file for --config

examples:
  ktc config check --config new.json
  ktc config show --set events.tcp_state=false
  ktc config show --json | jq .config > agent.json
`;

/** Runs the command and gives its exit code. `args` are those after `config`. */
export async function configCommand(args: readonly string[]): Promise<number> {
  const parsed = parseArguments({
    args: [...args],
    allowPositionals: true,
    options: { ...configOptions, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  if (!parsed.ok) return fail(EXIT.usage, parsed.problem);
  const { positionals, values } = parsed;
  if (values.help) return print(HELP);
  const [verb, ...rest] = positionals;
  if (verb === undefined || rest.length > 0 || !['show', 'check', 'reference'].includes(verb)) {
    return fail(EXIT.usage, 'config needs one of show, check, reference; see ktc config --help');
  }
  if (values.json && verb !== 'show') return fail(EXIT.usage, '--json belongs to ktc config show');
  if (verb === 'reference') return print(formatReference());

  const result = readConfig(values);
  if (!result.ok) return fail(EXIT.configuration, ...result.problems.map(formatProblem));
  if (verb === 'check') return print('ok\n');
  return print(values.json ? formatConfigJson(result) : formatConfigTable(result));
}

function print(text: string): number {
  process.stdout.write(text);
  return EXIT.ok;
}
