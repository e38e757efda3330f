/** The definitions of all sinks, as far as the whole configuration concerns them. */
import type { SinkDefinition } from '../sink/definition.ts';
import { type SinkName, type SinkSecrets, sinkDefinitions } from '../sink/registry.ts';
import type { AgentConfig, ConfigPath } from './schema.ts';

/** Each reads its own part of the configuration and of the secrets, so it can be given all of both. */
export const sinks: Readonly<Record<SinkName, SinkDefinition<AgentConfig, ConfigPath, SinkSecrets>>> =
  sinkDefinitions;
