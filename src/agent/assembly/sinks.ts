/** The sinks that a configuration asks for. */
import type { AgentConfig } from '../../config/schema.ts';
import { sinks } from '../../config/sinks.ts';
import { type EventKind, SINGLE_EVENT_KINDS } from '../../event/kinds.ts';
import type { SinkContext, SinkFinding } from '../../sink/definition.ts';
import { SINK_NAMES, type SinkName, type SinkSecrets } from '../../sink/registry.ts';
import type { Sink } from '../../sink/sink.ts';

/** What the sinks are told beside the configuration. */
export interface SinkSurroundings extends Omit<SinkContext, 'eventKinds'> {
  readonly secrets: SinkSecrets;
}

/** The names of the sinks that `createSinks` makes. */
export function sinkNames({ sink }: AgentConfig): SinkName[] {
  return SINK_NAMES.filter((name) => sink[name].enabled);
}

function emittedKinds({ events, summary, host_status }: AgentConfig): EventKind[] {
  return [
    ...SINGLE_EVENT_KINDS.filter((kind) => events[kind]),
    ...(summary.interval_s > 0 ? (['tcp_retransmit_summary'] as const) : []),
    ...(host_status.interval_s > 0 ? (['host_status'] as const) : []),
  ];
}

function createSink(name: SinkName, config: AgentConfig, surroundings: SinkSurroundings): Sink {
  const { secrets, ...rest } = surroundings;
  return sinks[name].create(config, secrets, { ...rest, eventKinds: emittedKinds(config) });
}

/** Makes the enabled sinks; opens none of them. */
export function createSinks(config: AgentConfig, surroundings: SinkSurroundings): Sink[] {
  return sinkNames(config).map((name) => createSink(name, config, surroundings));
}

/** What `ktc check` says of the enabled sinks: opens those that leave nothing behind, and closes them again. */
export async function checkSinks(
  config: AgentConfig,
  surroundings: SinkSurroundings,
): Promise<(SinkFinding & { readonly name: SinkName })[]> {
  const findings: (SinkFinding & { readonly name: SinkName })[] = [];
  for (const name of sinkNames(config)) {
    const { check } = sinks[name];
    const finding = await (check === undefined
      ? tryToOpen(createSink(name, config, surroundings))
      : check(config));
    if (finding !== null) findings.push({ name, ...finding });
  }
  return findings;
}

async function tryToOpen(sink: Sink): Promise<SinkFinding> {
  const opened = await sink.open();
  const tried = opened.ok && sink.probe !== undefined ? await sink.probe() : opened;
  await sink.close();
  return tried.ok ? { verdict: 'ok', detail: 'ready' } : { verdict: 'failed', detail: tried.problem };
}
