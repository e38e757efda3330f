/** All sinks. A new one needs an import and an entry here, and its folder; nothing else names it. */
import type { SecretFile } from './definition.ts';
import { file } from './file/definition.ts';
import { kafka } from './kafka/definition.ts';
import { otlp } from './otlp/definition.ts';
import { stdout } from './stdout/definition.ts';

/** By their names in the configuration, the log and the metrics; in the order of the reference. */
export const sinkDefinitions = {
  kafka,
  otlp,
  file,
  stdout,
};

type Definitions = typeof sinkDefinitions;
export type SinkName = keyof Definitions;

/** The sections of all sinks, by name. */
export type SinkKeys = { readonly [Name in SinkName]: Definitions[Name]['keys'] };

type ContentOf<File> = File extends SecretFile<never, string, infer Content> ? Content : null;
/** What the secret files of all sinks hold, by name; null for a sink without one. */
export type SinkSecrets = { readonly [Name in SinkName]: ContentOf<Definitions[Name]['secret']> };

export const SINK_NAMES = Object.keys(sinkDefinitions) as SinkName[];

/** The same member of every definition, by the names of the sinks. */
export const sinkKeys = Object.fromEntries(
  SINK_NAMES.map((name) => [name, sinkDefinitions[name].keys]),
) as unknown as SinkKeys;
