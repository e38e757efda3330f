/** The questions about connections: how they come about, live, and end. */
import type { FleetEvent } from '../../support/fleet-truth/event.ts';
import {
  type Answer,
  by,
  count,
  grouped,
  label,
  msOf,
  ofKind,
  quantile,
  rounded,
  type Sorted,
  serviceOf,
  sum,
  type Truth,
  timeOf,
  unique,
} from './facts.ts';

/** Milliseconds of the values at these places, which are in microseconds. */
const quantilesMs = <Name extends string>(
  values: readonly number[],
  levels: Readonly<Record<Name, number>>,
): Record<Name, number> =>
  Object.fromEntries(
    Object.entries<number>(levels).map(([name, level]) => [name, rounded(quantile(level, values) / 1000, 3)]),
  ) as Record<Name, number>;

const earliest = (events: readonly FleetEvent[]): string => events.map(timeOf).sort()[0] ?? '';
const isGivenUp = ({ old_state, new_state }: FleetEvent): boolean =>
  old_state === 'SYN_SENT' && new_state === 'CLOSE';

/** What is not known comes last. */
const portOrder = ({ port }: { readonly port: number | null }): number => port ?? Number.POSITIVE_INFINITY;

/** Connections of which both ends tell, one in each rack. */
function bothEnds({ lives }: Sorted, rackA: string, rackB: string): Answer {
  const whole = lives.filter(
    (event) => typeof event.local_port === 'number' && typeof event.remote_port === 'number',
  );
  const flowOf = (event: FleetEvent, isTurned: boolean): string => {
    const ends = [
      `${event.local_address} ${event.local_port}`,
      `${event.remote_address} ${event.remote_port}`,
    ];
    return (isTurned ? ends.toReversed() : ends).join(' ');
  };
  const inB = Map.groupBy(
    whole.filter((event) => label(event, 'rack') === rackB),
    (event) => flowOf(event, true),
  );
  const pairs = whole
    .filter((event) => label(event, 'rack') === rackA)
    .flatMap((a) => (inB.get(flowOf(a, false)) ?? []).map((b) => ({ a, b })))
    .filter(({ a, b }) => a.host !== b.host && Math.abs(msOf(a) - msOf(b)) < 60_000);
  return pairs
    .map(({ a, b }) => ({
      ...{ host_a: a.host, port_a: a.local_port ?? 0, host_b: b.host, port_b: b.local_port },
      ...{ ended: timeOf(a), retransmits_a: a.retransmits ?? 0, retransmits_b: b.retransmits ?? 0 },
      ...{ sent_a: a.bytes_sent, received_b: b.bytes_received },
      ...{ sent_b: b.bytes_sent, received_a: a.bytes_received },
    }))
    .sort(
      by(
        (row) => -(row.retransmits_a + row.retransmits_b),
        (row) => row.ended,
        (row) => row.host_a,
        (row) => row.port_a,
      ),
    )
    .slice(0, 50);
}

/** Connections that went into CLOSE_WAIT and had not left it long before the end. */
function leaks({ events, endMs }: Sorted, minAgeMs: number): Answer {
  const states = ofKind(events, 'tcp_state').filter(
    ({ old_state, new_state }) => old_state === 'CLOSE_WAIT' || new_state === 'CLOSE_WAIT',
  );
  const leaked = grouped(states, ({ host, connection_id }) => ({ host, connection_id })).flatMap(
    ({ all }) => {
      const entered = all.filter(({ new_state }) => new_state === 'CLOSE_WAIT');
      const [last] = entered.slice(-1);
      const isOld = last !== undefined && msOf(last) < endMs - minAgeMs;
      return isOld && entered.length > all.length - entered.length ? [last] : [];
    },
  );
  return grouped(leaked, (event) => ({ service: serviceOf(event), comm: event.comm ?? null }))
    .map(({ words, all }) => ({
      ...{ ...words, leaked: all.length, hosts: unique(all, ({ host }) => host), oldest: earliest(all) },
    }))
    .sort(
      by(
        (row) => -row.leaked,
        (row) => row.service,
        (row) => String(row.comm),
      ),
    );
}

export function connectionAnswers(facts: Sorted): Record<string, Truth> {
  const { events, lives, peer } = facts;
  const failures = events.filter(isGivenUp);
  return {
    '07-connect-latency': () =>
      grouped(
        ofKind(events, 'tcp_connect_latency').filter(({ latency_us }) => typeof latency_us === 'number'),
        (event) => ({ to_service: peer(event, 'service'), from_service: serviceOf(event) }),
      )
        .map(({ words, all }) => {
          const values = all.map(({ latency_us }) => latency_us ?? 0);
          const levels = { p50_ms: 0.5, p95_ms: 0.95, p99_ms: 0.99 };
          return { ...words, connects: all.length, ...quantilesMs(values, levels) };
        })
        .sort(
          by(
            (row) => -row.p50_ms,
            (row) => row.to_service,
            (row) => row.from_service,
          ),
        ),
    '08-unanswered-syns': () =>
      grouped(
        events.filter((event) => event.retransmit_kind === 'syn' || isGivenUp(event)),
        (event) => ({
          peer: event.remote_address ?? '',
          port: event.remote_port ?? null,
          remote_host: peer(event, 'name'),
        }),
      )
        .map(({ words, all }) => ({
          ...words,
          syns_again: count(all, ({ retransmit_kind }) => retransmit_kind === 'syn'),
          given_up: count(all, isGivenUp),
          hosts: unique(all, ({ host }) => host),
          services: [...new Set(all.map(serviceOf))].sort(),
        }))
        .filter(({ syns_again }) => syns_again > 0)
        .sort(
          by(
            (row) => -row.syns_again,
            (row) => row.peer,
            (row) => portOrder(row),
          ),
        ),
    '11-short-lived-connections': ({ max_ms }) =>
      grouped(
        lives.filter(({ direction }) => direction === 'active'),
        (event) => ({
          host: event.host,
          service: serviceOf(event),
          remote_service: peer(event, 'service'),
        }),
      )
        .map(({ words, all }) => {
          const short = count(
            all,
            ({ duration_us }) => (duration_us ?? Number.POSITIVE_INFINITY) < 1000 * Number(max_ms),
          );
          return { ...words, short, connections: all.length, percent: (100 * short) / all.length };
        })
        .filter(({ short }) => short > 0)
        .sort(
          by(
            (row) => -row.short,
            (row) => row.host,
            (row) => row.remote_service,
          ),
        )
        .slice(0, 50),
    '12-close-wait-leaks': ({ min_age_s }) => leaks(facts, Number(min_age_s) * 1000),
    '13-who-talks-to': ({ service }) =>
      grouped(
        lives.filter((event) => event.direction === 'passive' && serviceOf(event) === service),
        (event) => ({ from_service: peer(event, 'service'), port: event.local_port ?? null }),
      )
        .map(({ words, all }) => ({
          ...words,
          clients: unique(all, ({ remote_address }) => remote_address),
          connections: all.length,
          bytes_in: sum(all, (event) => event.bytes_received ?? 0),
          bytes_out: sum(all, (event) => event.bytes_sent ?? 0),
        }))
        .sort(
          by(
            (row) => -row.connections,
            (row) => row.from_service,
            (row) => portOrder(row),
          ),
        ),
    '14-first-seen-after': ({ moment = '' }) =>
      grouped(ofKind(events, 'tcp_connect'), (event) => ({
        service: serviceOf(event),
        peer: ['unknown', 'ambiguous'].includes(peer(event, 'name'))
          ? (event.remote_address ?? '')
          : peer(event, 'service'),
        port: event.remote_port ?? null,
      }))
        .map(({ words, all }) => ({
          ...{ ...words, first_seen: earliest(all), connects: all.length },
          hosts: unique(all, ({ host }) => host),
        }))
        .filter(({ first_seen }) => first_seen >= moment)
        .sort(
          by(
            (row) => -row.connects,
            (row) => row.service,
            (row) => row.peer,
            (row) => portOrder(row),
          ),
        ),
    '16-story-of-a-connection': ({ host, connection_id }) =>
      events
        .filter((event) => event.host === host && event.connection_id === connection_id)
        .sort(by(({ timestamp }) => timestamp))
        .map((event) => ({
          timestamp: timeOf(event),
          event: event.event,
          old_state: event.old_state ?? null,
          new_state: event.new_state ?? null,
          latency_us: event.latency_us ?? null,
          bytes_sent: event.bytes_sent ?? null,
        })),
    '17-both-ends': ({ rack_a = '', rack_b = '' }) => bothEnds(facts, rack_a, rack_b),
    '28-round-trip-times': () =>
      grouped(
        lives.filter((event) => typeof event.srtt_us === 'number'),
        (event) => ({ service: serviceOf(event), remote_service: peer(event, 'service') }),
      )
        .map(({ words, all }) => {
          const values = all.map((event) => event.srtt_us ?? 0);
          return {
            ...{ ...words, connections: all.length },
            ...quantilesMs(values, { p50_ms: 0.5, p95_ms: 0.95 }),
          };
        })
        .sort(
          by(
            (row) => -row.p50_ms,
            (row) => row.service,
            (row) => row.remote_service,
          ),
        ),
    '30-refused-or-unreachable': () =>
      grouped(failures, (event) => ({
        peer: event.remote_address ?? '',
        port: event.remote_port ?? null,
        service: serviceOf(event),
        how: (event.duration_us ?? 0) >= 1_000_000 ? 'unreachable' : 'refused',
      }))
        .map(({ words, all }) => ({
          ...{ ...words, failed: all.length },
          waited_ms:
            quantile(
              0.5,
              all.map(({ duration_us }) => duration_us ?? 0),
            ) / 1000,
        }))
        .sort(
          by(
            (row) => -row.failed,
            (row) => row.peer,
            (row) => portOrder(row),
            (row) => row.service,
          ),
        ),
    '38-story-of-a-flow': ({ community_id }) =>
      events
        .filter((event) => event.community_id === community_id)
        .sort(
          by(
            ({ timestamp }) => timestamp,
            ({ host }) => host,
          ),
        )
        .map((event) => ({
          ...{ timestamp: timeOf(event), host: event.host, event: event.event },
          ...{ old_state: event.old_state ?? null, new_state: event.new_state ?? null },
          ...{ bytes_sent: event.bytes_sent ?? null, retransmits: event.retransmits ?? null },
        })),
  };
}
