/** The configuration: its layers laid over one another, checked as a whole. */
import convict from 'convict';
import { SINK_NAMES, type SinkSecrets } from '../sink/registry.ts';
import { type FileSources, readFiles } from './file.ts';
import { EVERYTHING, joinLayers, readDocument, readEnvironment, readFlags } from './layer.ts';
import type { ConfigProblem } from './problem.ts';
import { rules } from './rule.ts';
import { type AgentConfig, type ConfigPath, keys, schema } from './schema.ts';
import { sinks } from './sinks.ts';

export interface ConfigSources extends FileSources {
  readonly environment: NodeJS.ProcessEnv;
  /** Values by dotted path, from `--set`. */
  readonly flags: Readonly<Record<string, string>>;
  /** A document that comes with the program and lies under all files. */
  readonly embedded?: object | undefined;
}

export interface LoadedConfig {
  readonly ok: true;
  readonly config: AgentConfig;
  /** What was read from secret files; not part of the configuration, so that nothing shows it. */
  readonly secrets: SinkSecrets;
  /** By dotted path: `default`, `embedded`, a file, an environment variable or `--set`. Labels have one each. */
  readonly origins: ReadonlyMap<string, string>;
}

export type ConfigResult = LoadedConfig | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/**
 * Reads all layers, later ones win: defaults, embedded, file, `conf.d`, environment, flags. Gives either a
 * configuration that holds every rule, or every problem of every layer.
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
    store.set(path, value);
    origins.set(path, origin);
  }
  // Every value was checked in its layer: what convict still finds is a bug here, and it throws.
  store.validate({ allowed: 'strict' });
  const config = store.getProperties();

  const problems = [...layers.problems];
  const isSound = (path: ConfigPath) => !layers.doubtful.some((doubtful) => covers(doubtful, path));
  const report = (problem: string, reads: readonly [ConfigPath, ...ConfigPath[]]) => {
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
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, config, origins, secrets: Object.fromEntries(secrets) };
}

/** Whether a path is that of a key, of a section around it, or of everything. */
function covers(path: string, key: ConfigPath): boolean {
  return path === EVERYTHING || path === key || key.startsWith(`${path}.`);
}
