/** `ktc config show|check|reference`. */
import { formatReference } from '../config/reference.ts';
import { formatConfigJson, formatConfigTable } from '../config/show.ts';
import { createCommand } from './command.ts';
import { EXIT, fail, print } from './exit.ts';
import { configOptions, configOptionsHelp, configurationError, readConfig } from './options.ts';

const HELP = `usage: ktc config show [--json] [options]   every value and the layer that set it
       ktc config check [options]           ok, or every mistake and exit code ${EXIT.configuration}
       ktc config reference                 all keys, as Markdown

${configOptionsHelp}      --json            for programs: {config, config_hash, origins, secrets}; config is a file for --config

examples:
  ktc config check --config new.json
  ktc config show --set events.tcp_state=false
  ktc config show --json | jq .config > agent.json
`;

export const configCommand = createCommand({
  name: 'config',
  help: HELP,
  options: { ...configOptions, json: { type: 'boolean' } },
  takesWords: true,
  refuse: (problem) => fail(EXIT.usage, problem),
  run(values, [verb, ...rest]) {
    if (verb === undefined || rest.length > 0 || !['show', 'check', 'reference'].includes(verb))
      return fail(EXIT.usage, 'config needs one of show, check, reference; see ktc config --help');
    if (values.json && verb !== 'show') return fail(EXIT.usage, '--json belongs to ktc config show');
    if (verb === 'reference') return print(formatReference());

    const result = readConfig(values);
    if (!result.ok) return configurationError(result);
    if (verb === 'check') return print('ok\n');
    return print(values.json ? formatConfigJson(result.value) : formatConfigTable(result.value));
  },
});
