/** Loads the configuration: lays its layers over one another and checks the whole. */
import convict from 'convict';
import { type ConfigProblem, formatProblem } from '../setting/problem.ts';
import { type Result, success } from '../shared/result.ts';
import { SINK_NAMES, type SinkSecrets } from '../sink/registry.ts';
import { type FileSources, readFiles } from './file.ts';
import { EVERYTHING, joinLayers, readDocument, readEnvironment, readFlags } from './layer.ts';
import { rules } from './rule.ts';
import { type AgentConfig, type ConfigPath, isConfigPath, keys, schema } from './schema.ts';
import { sinks } from './sinks.ts';

export interface ConfigSources extends FileSources {
  readonly environment: NodeJS.ProcessEnv;
  /** Values by dotted path, from `--set`. */
  readonly flags: Readonly<Record<string, string>>;
  /** A document that is part of the program; every file overrides it. */
  readonly embedded?: object | undefined;
}

export interface LoadedConfig {
  readonly config: AgentConfig;
  /** The content of the secret files. It is not part of the configuration, so that nothing can show it. */
  readonly secrets: SinkSecrets;
  /** By dotted path: `default`, `embedded`, a file, an environment variable or `--set`. Each label has its own. */
  readonly origins: ReadonlyMap<string, string>;
}

/** A refusal has every mistake of every layer in `problems`, and the first of them as its `problem`. */
export type ConfigResult = Result<LoadedConfig, { problems: readonly ConfigProblem[] }>;

type Paths = readonly [ConfigPath, ...ConfigPath[]];

/** The result for a configuration with these mistakes. */
export function refuseConfig(
  problems: readonly [ConfigProblem, ...ConfigProblem[]],
): ConfigResult & { readonly ok: false } {
  return { ok: false, problem: formatProblem(problems[0]), problems };
}

/**
 * Reads all layers; a later one overrides an earlier one: defaults, embedded, file, `conf.d`, environment, flags.
 * Gives either a configuration that satisfies every rule, or every mistake of every layer.
 */
export function loadConfig(sources: ConfigSources): ConfigResult {
  const layers = joinLayers([
    ...(sources.embedded === undefined ? [] : [readDocument(sources.embedded, 'embedded')]),
    ...readFiles(sources),
    readEnvironment(sources.environment),
    readFlags(sources.flags),
  ]);
  const store = convict<AgentConfig>(schema, { env: {}, args: [] });
  const origins = new Map<string, string>([...keys.keys()].map((path) => [path, 'default']));
  for (const { path, value, origin } of layers.settings) {
    if (value === null) remove(store, origins, path);
    else {
      store.set(path, value);
      origins.set(path, origin);
    }
  }
  // Every value was checked in its layer: a mistake that convict still finds is a bug here, and it throws.
  store.validate({ allowed: 'strict' });
  const config = store.getProperties();

  const problems = [...layers.problems];
  const isSound = (path: ConfigPath) => !layers.doubtful.some((doubtful) => covers(doubtful, path));
  const report = (problem: string, reads: Paths) => {
    const origin = reads.map((path) => origins.get(path)).find((name) => name !== 'default');
    problems.push({ origin: origin ?? null, path: reads[0], problem });
  };
  for (const { reads, check } of rules) {
    const problem = reads.every(isSound) ? check(config) : null;
    if (problem !== null) report(problem, reads);
  }
  const secrets = SINK_NAMES.map((name) => {
    const { secret } = sinks[name];
    if (secret === null || !secret.reads.every(isSound)) return [name, null];
    const content = secret.read(config);
    if (!content.ok) report(content.problem, secret.reads);
    return [name, content.ok ? content.value : null];
  });
  const [first, ...others] = problems;
  if (first !== undefined) return refuseConfig([first, ...others]);
  return success({ config, origins, secrets: Object.fromEntries(secrets) });
}

/** Makes a key what it is by default, with all its names; or takes one name out of a key that merges. */
function remove(store: convict.Config<AgentConfig>, origins: Map<string, string>, path: string): void {
  if (isConfigPath(path)) {
    store.reset(path);
    for (const name of origins.keys()) if (name.startsWith(`${path}.`)) origins.delete(name);
    origins.set(path, 'default');
    return;
  }
  const [, parent = '', name = ''] = /^(.*)\.([^.]*)$/.exec(path) ?? [];
  if (!isConfigPath(parent)) return;
  const value: unknown = store.get(parent);
  const others = Object.entries(value as object).filter(([member]) => member !== name);
  store.set(parent, Object.fromEntries(others));
  origins.delete(path);
}

/** Whether `path` is the path of this key, of a section around it, or of everything. */
function covers(path: string, key: ConfigPath): boolean {
  return path === EVERYTHING || path === key || key.startsWith(`${path}.`);
}
