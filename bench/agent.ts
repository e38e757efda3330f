/** The agent as a process, from the kernel to a sink, under steady traffic. */
import { imbalances, total } from '../src/ledger/ledger.ts';
import { startAgent } from '../test/support/agent.ts';
import { memoryOf } from '../test/support/memory.ts';
import { runSteady } from '../test/support/traffic/traffic.ts';
import { probesOf } from './probes.ts';
import { cpuWhenQuiet } from './process.ts';

export interface AgentRun {
  readonly perSecond: number;
  /** When the events began that are measured, milliseconds since 1970. */
  readonly since: number;
  readonly events: number;
  /** While the events came, until the last was acknowledged. */
  readonly cpuSeconds: number;
  readonly peakBytes: number;
  /** Emitted since the start and acknowledged. */
  readonly delivered: number;
  /** Kernel records and events lost, for whatever reason. */
  readonly lost: number;
}

/** In events per second; null is the rate that is measured. */
const WARM_UP = [
  { rate: 10_000, seconds: 12 },
  { rate: 1_000, seconds: 60 },
  { rate: null, seconds: 15 },
] as const;
/** A connection makes some 14 events, of both its ends. */
const CONNECTIONS_PER_EVENT = 0.072;
/** In a quick bench, warming up is not to take longer than the rest. */
const MEASURED_TO_WARM_UP = 4;
const QUIET_DEADLINE_MS = 120_000;
/** What V8 collects when it has become quiet after the warm-up, some 40 ms of work, is not to count for much. */
const LEAST_EVENTS = 40_000;

/** How long a rate is measured. */
export function measuredSeconds(perSecond: number, quick: boolean): number {
  return quick ? 2 : Math.max(15, LEAST_EVENTS / perSecond);
}

/**
 * Makes traffic before something is measured for `seconds` at `perSecond` events per second; gives how many connections.
 * Agents run for months, and V8 compiles what has been run often: the code of an event after some 100,000 events, the
 * code of a round, of which there are four a second until events fill the buffer sooner, in another minute. Then it
 * compiles again what another rate does differently.
 */
export async function warmUp(perSecond: number, seconds: number): Promise<number> {
  let connections = 0;
  for (const phase of WARM_UP) {
    const traffic = await runSteady({
      perSecond: (phase.rate ?? perSecond) * CONNECTIONS_PER_EVENT,
      seconds: Math.min(phase.seconds, MEASURED_TO_WARM_UP * seconds),
    });
    connections += traffic.connections;
  }
  return connections;
}

/**
 * Runs the agent with its defaults and one sink, so many events a second for so long. `sink` is its configuration,
 * `more` what else is not the default; events wait in memory unless it says otherwise.
 */
export async function runAgent(
  name: 'kafka' | 'otlp',
  sink: object,
  perSecond: number,
  seconds: number,
  more: object = {},
): Promise<AgentRun> {
  const agent = await startAgent({
    config: {
      ...more,
      // Room for what the busiest run makes while this machine gives its cores to others.
      source: { buffer_kb: 16_384, probes: probesOf('steady') },
      sink: { [name]: { enabled: true, ...sink } },
    },
  });
  try {
    const connections = await warmUp(perSecond, seconds);
    const before = await cpuWhenQuiet(agent.pid);
    const warm = (await agent.status()).ledger;

    const since = Date.now();
    const traffic = await runSteady({ perSecond: (perSecond * connections) / warm.emitted, seconds });
    const cpuSeconds = (await cpuWhenQuiet(agent.pid, QUIET_DEADLINE_MS)) - before;
    const peakBytes = memoryOf(agent.pid, 'VmHWM');

    await agent.stop();
    const ledger = agent.finalLedger();
    const wrong = imbalances(ledger);
    const account = ledger.sinks[name];
    if (account === undefined || wrong.length > 0) throw new Error(wrong.join('; '));
    const events = ledger.emitted - warm.emitted;
    return {
      perSecond: events / traffic.seconds,
      since,
      events,
      cpuSeconds,
      peakBytes,
      delivered: account.delivered,
      lost: total(ledger.lost) + ledger.malformed + total(account.rejected) + total(account.dropped),
    };
  } finally {
    await agent.stop();
  }
}
