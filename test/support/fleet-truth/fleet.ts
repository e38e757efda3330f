/**
 * Events of a fleet that never existed, of which everything is known: 200 hosts, 12 racks, six services, two hours, with
 * the faults of `PLANTED` (plan.ts). Every query, dashboard and report is tested against it.
 *
 *     const fleet = createFleet({ events: 100_000 });
 *     for (const { event } of fleet.deliveries()) write(JSON.stringify(event));   // as a consumer gets them
 *     fleet.truth();                                                              // when all have been taken
 *
 * The same options give the same bytes. Events of one host come in the order in which its agent made them; memory grows
 * with the events of a few minutes only. Truth is counted from what happened, never read back from the JSON.
 */
import { connectionEvents } from './connection.ts';
import type { FleetEvent, Happening } from './event.ts';
import { createHostAgent, type HostAgent } from './host-agent.ts';
import { DURATION_MINUTES, type FleetHost, HOSTS, isHeard, PLANTED } from './plan.ts';
import { createRandom } from './random.ts';
import { createConnection, type Planned, resetStorm, unreachableAttempts } from './traffic.ts';
import { createTruth, type FleetTruth } from './truth.ts';

export interface FleetOptions {
  /** About how many; some 24,000 host_status come on top. With less than 60,000 not all faults can be seen. */
  readonly events: number;
  readonly seed?: number;
  /** When the watching starts, milliseconds since 1970: a whole minute. Default 2026-11-24T11:30:00Z. */
  readonly startMs?: number;
}

export interface Delivery {
  readonly event: FleetEvent;
  /** It was delivered before: the same bytes come again. */
  readonly isRepeat: boolean;
}

export interface Fleet {
  readonly startMs: number;
  readonly endMs: number;
  readonly deliveries: () => Generator<Delivery, void>;
  /** What is true of the deliveries so far. */
  readonly truth: () => FleetTruth;
}

export const FLEET_START_MS = Date.UTC(2026, 10, 24, 11, 30);
const MINUTE_US = 60_000_000;
/** host_status comes as the last of its minute. */
const STATUS_BEFORE_END_US = 1000;
const REPEAT_EVERY = 50;
/** A consumer that died had not committed this minute of these hosts. */
const CONSUMED_AGAIN = { minute: 30, hosts: 10 };

function isIn(
  range: {
    readonly hostIndex: number;
    readonly cpu: number;
    readonly firstOrdinal: number;
    readonly count: number;
  },
  step: number,
  host: FleetHost,
  event: FleetEvent,
): boolean {
  if (host.index !== range.hostIndex || event.cpu !== range.cpu) return false;
  const distance = Number(event.event_id.split('-').at(-1)) - range.firstOrdinal;
  return distance >= 0 && distance % step === 0 && distance / step < range.count;
}

export function createFleet({ events, seed = 13, startMs = FLEET_START_MS }: FleetOptions): Fleet {
  if (startMs % 60_000 !== 0) throw new RangeError('startMs is no whole minute');
  const startUs = startMs * 1000;
  const endUs = startUs + DURATION_MINUTES * MINUTE_US;
  const random = createRandom(seed);
  const truth = createTruth(startMs);
  const agents = new Map(HOSTS.map((host) => [host, createHostAgent(host, startUs, random)]));
  const pending = new Map<FleetHost, Happening[]>(HOSTS.map((host) => [host, []]));
  const agentOf = (host: FleetHost): HostAgent => {
    const agent = agents.get(host);
    if (agent === undefined) throw new RangeError(`no host ${host.name}`);
    return agent;
  };
  const connectionIdOf = (host: FleetHost): string => agentOf(host).nextConnectionId();
  const perMinute = events / DURATION_MINUTES;
  const resetsPerMinute = Math.max(20, Math.round(events * 0.004));

  const plan = (minute: number): void => {
    let planned = 0;
    const take = (parts: readonly Planned[]): void => {
      for (const { host, happenings } of parts) {
        pending.get(host)?.push(...happenings);
        planned += happenings.length;
      }
    };
    take(unreachableAttempts(minute, startUs, random, connectionIdOf));
    take(resetStorm(minute, startUs, resetsPerMinute, random, connectionIdOf));
    while (planned < perMinute) {
      const connection = createConnection(minute, startUs, endUs, random);
      if (connection !== null) take(connectionEvents(connection, random, connectionIdOf));
    }
  };

  /** What happened on a host up to `untilUs`, in order of time; the rest stays pending. */
  const takeDue = (host: FleetHost, untilUs: number): Happening[] => {
    const all = pending.get(host) ?? [];
    pending.set(
      host,
      all.filter(({ us }) => us >= untilUs),
    );
    return all.filter(({ us }) => us < untilUs).sort((a, b) => a.us - b.us);
  };

  /** Of a host with a limit: the first retransmit of the minute is an event, the others are only in summaries. */
  const limit = (host: FleetHost, due: readonly Happening[], untilUs: number): Happening[] => {
    if (host.index !== PLANTED.limited.hostIndex) return [...due];
    const retransmits = due.filter(({ kind }) => kind === 'tcp_retransmit');
    const [first, ...suppressed] = retransmits;
    for (const happening of suppressed) agentOf(host).suppress(happening);
    const kept = due.filter((happening) => !suppressed.includes(happening));
    const peers = Map.groupBy(retransmits, ({ values }) => values['remote_address']);
    const summaries = [...peers.values()].map((ofPeer): Happening => {
      const of = (kind: string): number =>
        ofPeer.filter(({ values }) => values['retransmit_kind'] === kind).length;
      const { ip_version, local_address, remote_address, netns } = ofPeer[0]?.values ?? {};
      return {
        us: untilUs - 1,
        kind: 'tcp_retransmit_summary',
        values: {
          ...{ ip_version, local_address, remote_address, netns },
          interval_us: MINUTE_US,
          retransmits: ofPeer.length,
          ...Object.fromEntries(
            ['rto', 'fast', 'tlp', 'syn', 'synack', 'unknown'].map((kind) => [
              `retransmits_${kind}`,
              of(kind),
            ]),
          ),
          retransmits_suppressed: ofPeer.filter((one) => one !== first).length,
        },
      };
    });
    return [...kept, ...summaries];
  };

  /** Everything that one host emits in a minute, host_status last. */
  const emitMinute = (host: FleetHost, minute: number): FleetEvent[] => {
    const agent = agentOf(host);
    const statusUs = startUs + (minute + 1) * MINUTE_US - STATUS_BEFORE_END_US;
    const emitted: FleetEvent[] = [];
    const { listenOverflow, overrun, reordering, restarted } = PLANTED;
    if (minute === 0) emitted.push(agent.status(startUs, minute));
    if (host.index === restarted.hostIndex && minute === restarted.minute) {
      agent.restart(startUs + minute * MINUTE_US);
      emitted.push(agent.status(startUs + minute * MINUTE_US, minute));
    }
    for (const happening of limit(host, takeDue(host, statusUs), statusUs))
      emitted.push(agent.emit(happening, minute));
    if (
      host.index === listenOverflow.hostIndex &&
      minute >= listenOverflow.fromMinute &&
      minute < listenOverflow.toMinute
    ) {
      agent.overflow(listenOverflow.perMinute);
    }
    if (host.index === overrun.hostIndex && minute === overrun.minute) agent.overrun(overrun.records);
    if (host.index === reordering.hostIndex && minute >= reordering.fromMinute)
      agent.reorder(reordering.perMinute);
    agent.drop(emitted.filter((event) => isIn(PLANTED.spoolFull, 1, host, event)).length);
    emitted.push(agent.status(statusUs, minute));
    return emitted;
  };

  const deliver = function* (host: FleetHost, event: FleetEvent, minute: number): Generator<Delivery, void> {
    const isDropped = isIn(PLANTED.spoolFull, 1, host, event);
    const isRemoved = PLANTED.removed.some((range) => isIn(range, range.step, host, event));
    truth.emitted(host, event, minute, isDropped ? 'dropped' : isRemoved ? 'removed' : 'delivered');
    if (!isDropped && !isRemoved) yield { event, isRepeat: false };
  };

  const deliveries = function* (): Generator<Delivery, void> {
    const repeats: FleetEvent[] = [];
    const consumedAgain: FleetEvent[] = [];
    let delivered = 0;
    for (let minute = 0; minute < DURATION_MINUTES; minute++) {
      plan(minute);
      for (const host of HOSTS) {
        if (!isHeard(host, minute)) continue;
        for (const event of emitMinute(host, minute)) {
          for (const delivery of deliver(host, event, minute)) {
            yield delivery;
            if (delivered++ % REPEAT_EVERY === 0) repeats.push(event);
            if (minute === CONSUMED_AGAIN.minute && host.index < CONSUMED_AGAIN.hosts)
              consumedAgain.push(event);
          }
        }
      }
      if (minute === CONSUMED_AGAIN.minute) repeats.push(...consumedAgain);
      for (const event of repeats.splice(0)) {
        truth.repeated();
        yield { event, isRepeat: true };
      }
    }
  };

  return { startMs, endMs: endUs / 1000, deliveries, truth: truth.summary };
}
