/** Options that commands share: which configuration to use, and how long to run. */
import { serviceVariables } from '../config/layer.ts';
import { type ConfigResult, type ConfigSources, loadConfig, refuseConfig } from '../config/load.ts';
import { type ConfigProblem, formatProblem } from '../setting/problem.ts';
import { escapeControls } from '../shared/text.ts';
import { EXIT, type ExitCode, fail, say } from './exit.ts';

/** For the options of a command. */
export const configOptions = {
  config: { type: 'string', short: 'c' },
  set: { type: 'string', multiple: true },
} as const;

export interface ConfigOptionValues {
  /** Null reads no files at all. */
  readonly config?: string | null | undefined;
  readonly set?: readonly string[] | undefined;
}

export const configOptionsHelp = `  -c, --config FILE     use FILE (and conf.d beside it) in place of /etc/ktc/agent.json
      --set PATH=VALUE  override one key, such as --set batch.linger_ms=50; may be repeated
`;

/** Loads the configuration that the options and this process's environment ask for. */
export function readConfig({ config, set = [] }: ConfigOptionValues, embedded?: object): ConfigResult {
  const flags: [string, string][] = [];
  const malformed: ConfigProblem[] = [];
  for (const flag of set) {
    const [path, value] = flag.split(/=(.*)/s, 2);
    if (path && value !== undefined) flags.push([path, value]);
    else
      malformed.push({
        origin: '--set',
        path: null,
        problem: 'needs path=value, such as batch.linger_ms=50',
      });
  }
  const result = loadConfig({
    file: config,
    environment: process.env,
    flags: Object.fromEntries(flags),
    embedded,
  });
  if (result.ok) tellIgnored(serviceVariables(process.env));
  const [first, ...others] = result.ok ? malformed : [...result.problems, ...malformed];
  return first === undefined ? result : refuseConfig([first, ...others]);
}

let hasTold = false;

/** Once for each process: a reload reads the same environment again. */
function tellIgnored(variables: readonly string[]): void {
  if (variables.length > 0 && !hasTold)
    say(
      `ignored ${escapeControls(variables.join(', '))}: an orchestrator has set this for a service of that name`,
    );
  hasTold = true;
}

/** Loads a configuration that a command brings with it: nothing of the host's configuration counts. */
export function loadEmbedded(embedded: NonNullable<ConfigSources['embedded']>): ConfigResult {
  return loadConfig({ file: null, environment: {}, flags: {}, embedded });
}

/** Prints every mistake of a configuration. */
export function configurationError({ problems }: ConfigResult & { ok: false }): ExitCode {
  return fail(EXIT.configuration, ...problems.map(formatProblem));
}

/** The number of seconds of an option: Infinity where it is not given, NaN where it is no number. */
export function secondsOf(text: string | undefined): number {
  return text === undefined ? Number.POSITIVE_INFINITY : Number(text);
}
