/**
 * The definition of a sink: everything that the rest of the program needs to know of it. Each sink has one, in its own
 * folder (`definition.ts`), and `registry.ts` lists them.
 */
import type { CrossCheck } from '../setting/cross-check.ts';
import type { Key } from '../setting/key.ts';
import type { Secret } from '../setting/secret.ts';
import type { Paths, Section, Values } from '../setting/section.ts';
import type { Result } from '../shared/result.ts';
import type { Sink } from './sink.ts';
import type { SinkLog } from './sink-log.ts';

/** The part of the configuration that the sink `Name` with these keys reads. */
export interface SinkConfig<Name extends string, Keys> {
  readonly sink: { readonly [N in Name]: Values<Keys> };
  /** The user that the agent will become owns secret files too. */
  readonly process: { readonly user: string };
}

/** The paths of the keys in a `SinkConfig`. */
export type SinkPath<Name extends string, Keys> = `sink.${Name}.${Paths<Keys>}` | 'process.user';

/** What a secret file holds: one secret, or several by name. */
export type SecretContent = Secret | Readonly<Record<string, Secret>>;

/** A file that holds what must not be in the configuration. */
export interface SecretFile<Config, Path extends string, Content extends SecretContent | null> {
  /** Where `ktc config show` says that there is a secret. */
  readonly shownAs: string;
  /** The keys that `read` looks at. The first one names the file, and problems are reported there. */
  readonly reads: readonly [Path, ...Path[]];
  /** Gives an empty content where the configuration asks for none. */
  readonly read: (config: Config) => Result<Content>;
}

/** What a sink is told beside its configuration. */
export interface SinkContext {
  /** Version of the agent, for receivers that ask. */
  readonly version: string;
  /** The host's name. */
  readonly host: string;
  /** The kinds of events that this configuration emits. */
  readonly eventKinds: readonly string[];
  readonly log: SinkLog;
  /** Called with one line when nobody reads standard output any more. */
  readonly onStdoutClosed: (reason: string) => void;
}

/** What `ktc check` found: one line. */
export interface SinkFinding {
  /** `warning` runs, but not with everything. */
  readonly verdict: 'ok' | 'warning' | 'failed';
  readonly detail: string;
}

/**
 * `Config` is the part of the configuration that the sink reads, `Path` the paths in it, `Secrets` the contents of
 * secret files by the name of the sink.
 */
export interface SinkDefinition<Config, Path extends string, Secrets> {
  /** The keys below `sink.NAME` of the configuration, with their documentation. */
  readonly keys: Section & { readonly enabled: Key<boolean> };
  /** What the keys cannot check one by one. */
  readonly checks: readonly CrossCheck<Config, Path>[];
  /** Null for a sink without secrets. */
  readonly secret: SecretFile<Config, Path, SecretContent | null> | null;
  /** Makes the sink, without connecting or opening anything. */
  readonly create: (config: Config, secrets: Secrets, context: SinkContext) => Sink;
  /** For `ktc check`, where to open the sink would leave something behind. Null: there is nothing to check. */
  readonly check?: (config: Config) => Promise<SinkFinding | null>;
}
