/** Options that commands share: which configuration to use. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { type ConfigResult, loadConfig } from '../config/load.ts';
import type { ConfigProblem } from '../config/problem.ts';

/** For `options` of `parseArgs` in node:util. */
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
export function readConfig(values: ConfigOptionValues, embedded?: object): ConfigResult {
  const flags = (values.set ?? []).map((flag) => flag.split(/=(.*)/s, 2));
  const malformed: ConfigProblem[] = flags
    .filter(([path, value]) => path === '' || value === undefined)
    .map(() => ({ origin: '--set', path: null, problem: 'needs path=value, such as batch.linger_ms=50' }));
  const result = loadConfig({
    file: values.config,
    environment: process.env,
    flags: Object.fromEntries(
      flags.flatMap(([path, value]) => (path && value !== undefined ? [[path, value]] : [])),
    ),
    embedded,
  });
  if (malformed.length === 0) return result;
  return { ok: false, problems: [...(result.ok ? [] : result.problems), ...malformed] };
}

export type ParsedArguments<T extends ParseArgsConfig> =
  | ({ readonly ok: true } & ReturnType<typeof parseArgs<T>>)
  | { readonly ok: false; readonly problem: string };

/** `parseArgs`, with a mistake of the user as a value of one sentence. */
export function parseArguments<T extends ParseArgsConfig>(config: T): ParsedArguments<T> {
  try {
    return { ok: true, ...parseArgs(config) };
  } catch (error) {
    if (
      !(error instanceof TypeError) ||
      !('code' in error) ||
      !String(error.code).startsWith('ERR_PARSE_ARGS_')
    ) {
      throw error;
    }
    // The rest is advice on `--`, which does not help here.
    return { ok: false, problem: error.message.split('. ')[0] ?? error.message };
  }
}
