/** What each question of query/clickhouse has to answer for the made fleet, computed from its events without any SQL. */

import { clickhouseTime } from '../support/chdb/questions.ts';
import type { FleetEvent } from '../support/fleet-truth/event.ts';
import {
  addressesOf,
  DURATION_MINUTES,
  HOSTS,
  hostAt,
  isHeard,
  ownerOf,
  PLANTED,
} from '../support/fleet-truth/plan.ts';
import type { Missing } from '../support/fleet-truth/truth.ts';

export type Answer = readonly Readonly<Record<string, unknown>>[];

export interface Facts {
  /** What was delivered, each once. */
  readonly events: readonly FleetEvent[];
  readonly missing: readonly Missing[];
  readonly startMs: number;
  readonly endMs: number;
}

type Named = 'rack' | 'service' | 'name';

const sum = <T>(values: readonly T[], of: (value: T) => number): number =>
  values.reduce((total, value) => total + of(value), 0);
const count = <T>(values: readonly T[], is: (value: T) => boolean): number => values.filter(is).length;
const unique = <T>(values: readonly T[], of: (value: T) => unknown): number => new Set(values.map(of)).size;
const groups = <T>(values: readonly T[], of: (value: T) => string): Map<string, T[]> =>
  Map.groupBy(values, of);
/** As ClickHouse's quantileExact: the value at that place of the sorted ones. */
const quantile = (level: number, values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(level * sorted.length))] ?? 0;
};
const by =
  <Row>(...keys: readonly ((row: Row) => number | string)[]) =>
  (a: Row, b: Row): number => {
    for (const key of keys) {
      const [left, right] = [key(a), key(b)];
      if (left !== right) return left < right ? -1 : 1;
    }
    return 0;
  };
const ms = (event: FleetEvent): number => Date.parse(event.timestamp);
const ofKind = (events: readonly FleetEvent[], kind: string): FleetEvent[] =>
  events.filter(({ event }) => event === kind);
const ordinalOf = (id: string): number => Number(id.split('-').at(-1));
const sessionOf = (id: string): string => id.split('-').at(-3) ?? '';
const label = (event: FleetEvent, name: string): string => event.labels[name] ?? '';

/** Answers by the name of the question. Rounded numbers are compared with a tolerance. */
export function expectedAnswers({
  events,
  missing,
  startMs,
  endMs,
}: Facts): Record<string, (row: Readonly<Record<string, string>>) => Answer> {
  const minuteOf = (event: FleetEvent): number => Math.floor((ms(event) - startMs) / 60_000);
  const peer = (event: FleetEvent, name: Named): string => {
    const owner = event.remote_address ? ownerOf(event.remote_address, minuteOf(event)) : null;
    return owner === null ? 'unknown' : owner === 'ambiguous' ? owner : owner[name];
  };
  const again = (all: readonly FleetEvent[]): number =>
    count(all, ({ event }) => event === 'tcp_retransmit') +
    sum(all, (event) => event.retransmits_suppressed ?? 0);
  const segments = (all: readonly FleetEvent[]): number =>
    sum(ofKind(all, 'tcp_life'), (event) => event.segments_sent ?? 0);
  const matrix = events.filter(({ event }) =>
    ['tcp_life', 'tcp_retransmit', 'tcp_retransmit_summary'].includes(event),
  );
  const noSyn = matrix.filter(({ retransmit_kind }) => retransmit_kind !== 'syn');
  const lives = ofKind(events, 'tcp_life');
  const statuses = ofKind(events, 'host_status');
  const resets = ofKind(events, 'tcp_reset');
  const retransmits = ofKind(events, 'tcp_retransmit');
  const byHost = groups(statuses, ({ host }) => host);
  const lastStatus = (host: string): FleetEvent => byHost.get(host)?.at(-1) as FleetEvent;
  const growth = (host: string, name: string): number => {
    const own = byHost.get(host) ?? [];
    return (own.at(-1)?.counters?.[name] ?? 0) - (own[0]?.counters?.[name] ?? 0);
  };
  const sessions = groups(statuses, ({ event_id }) => `${event_id.split('-').slice(0, -2).join('-')}`);
  const matrixBy = (name: 'rack' | 'service') =>
    [...groups(matrix, (event) => `${label(event, name)} ${peer(event, name)}`)]
      .map(([pair, all]) => ({
        [`from_${name}`]: pair.split(' ')[0],
        [`to_${name}`]: pair.split(' ')[1],
        connections: ofKind(all, 'tcp_life').length,
        retransmits: again(all),
        segments: segments(all),
        per_1000_segments: (1000 * again(all)) / segments(all),
      }))
      .sort(
        by(
          (row) => -row.retransmits,
          (row) => String(row[`from_${name}`]),
          (row) => String(row[`to_${name}`]),
        ),
      );

  return {
    '01-worst-peers': () =>
      [...groups(noSyn, (event) => `${event.remote_address} ${peer(event, 'name')}`)]
        .map(([key, all]) => ({
          peer: key.split(' ')[0] ?? '',
          remote_host: key.split(' ')[1],
          remote_rack: peer(all[0] as FleetEvent, 'rack'),
          retransmits: again(all),
          segments: segments(all),
          percent: Number(((100 * again(all)) / segments(all)).toFixed(3)),
        }))
        .filter((row) => row.segments >= 1000)
        .sort(
          by(
            (row) => -row.percent,
            (row) => row.peer,
          ),
        )
        .slice(0, 50),
    '02-retransmits-per-gb': () =>
      [...groups(noSyn, (event) => label(event, 'service'))]
        .map(([service, all]) => {
          const bytes = sum(ofKind(all, 'tcp_life'), (event) => event.bytes_sent ?? 0);
          return {
            ...{ service, retransmits: again(all), bytes, segments: segments(all) },
            per_gb: (1e9 * again(all)) / bytes,
            per_1000_segments: (1000 * again(all)) / segments(all),
          };
        })
        .sort(by((row) => -row.per_gb)),
    '03-by-kind': () =>
      [...groups(retransmits, (event) => `${label(event, 'service')} ${event.retransmit_kind}`)]
        .map(([key, all]) => {
          const [service = '', kind = ''] = key.split(' ');
          const ofService = count(retransmits, (event) => label(event, 'service') === service);
          return {
            ...{ service, retransmit_kind: kind, retransmits: all.length },
            peers: unique(all, ({ remote_address }) => remote_address),
            percent_of_service: (100 * all.length) / ofService,
          };
        })
        .sort(
          by(
            (row) => row.service,
            (row) => -row.retransmits,
            (row) => row.retransmit_kind,
          ),
        ),
    '04-rack-matrix': () => matrixBy('rack'),
    '05-service-matrix': () => matrixBy('service'),
    '06-host-retransmit-ratio': () =>
      [...byHost.keys()]
        .map((host) => {
          const [retransmitted, sent] = [growth(host, 'Tcp.RetransSegs'), growth(host, 'Tcp.OutSegs')];
          const percent = Number(((100 * retransmitted) / (sent + retransmitted)).toFixed(3));
          const { labels } = lastStatus(host);
          return {
            host,
            rack: labels['rack'],
            service: labels['service'],
            retransmitted,
            sent_segments: sent,
            percent,
          };
        })
        .filter(({ sent_segments }) => sent_segments > 0)
        .sort(
          by(
            (row) => -row.percent,
            (row) => row.host,
          ),
        )
        .slice(0, 50),
    '07-connect-latency': () =>
      [
        ...groups(
          ofKind(events, 'tcp_connect_latency'),
          (event) => `${peer(event, 'service')} ${label(event, 'service')}`,
        ),
      ]
        .map(([key, all]) => {
          const values = all.map(({ latency_us }) => latency_us ?? 0);
          const at = (level: number): number => Number((quantile(level, values) / 1000).toFixed(3));
          const [to_service = '', from_service = ''] = key.split(' ');
          return {
            to_service,
            from_service,
            connects: all.length,
            p50_ms: at(0.5),
            p95_ms: at(0.95),
            p99_ms: at(0.99),
          };
        })
        .sort(
          by(
            (row) => -row.p50_ms,
            (row) => row.to_service,
            (row) => row.from_service,
          ),
        ),
    '08-unanswered-syns': () => {
      const { unreachable } = PLANTED;
      const all = events.filter(({ remote_address }) => remote_address === unreachable.address);
      return [
        {
          ...{ peer: unreachable.address, port: unreachable.port, remote_host: 'unknown' },
          syns_again: count(all, ({ retransmit_kind }) => retransmit_kind === 'syn'),
          given_up: count(
            all,
            ({ old_state, new_state }) => old_state === 'SYN_SENT' && new_state === 'CLOSE',
          ),
          hosts: unique(all, ({ host }) => host),
          services: [unreachable.service],
        },
      ];
    },
    '09-listen-overflows': () => {
      const { hostIndex, fromMinute, toMinute, perMinute } = PLANTED.listenOverflow;
      const { name, rack, service } = hostAt(hostIndex);
      const own = byHost.get(name) ?? [];
      const at = (minute: number): string =>
        own.findLast((status) => minuteOf(status) === minute)?.timestamp ?? '';
      const text = (timestamp: string): string => timestamp.replace('T', ' ').replace('Z', '');
      return [
        {
          host: name,
          rack,
          service,
          overflows: (toMinute - fromMinute) * perMinute,
          first: text(at(fromMinute)),
          last: text(at(toMinute - 1)),
        },
      ];
    },
    '10-reset-storms': () =>
      [...groups(resets, (event) => `${event.remote_address} ${event.reset_direction}`)]
        .map(([key, all]) => {
          const [address = '', direction = ''] = key.split(' ');
          const minutes = [...groups(all, (event) => `${event.host} ${minuteOf(event)}`)];
          const most = Math.max(...minutes.map(([, inMinute]) => inMinute.length));
          const worst = Math.min(
            ...minutes
              .filter(([, inMinute]) => inMinute.length === most)
              .map(([name]) => Number(name.split(' ')[1])),
          );
          return {
            ...{ peer: address, direction, resets: all.length, hosts: unique(all, ({ host }) => host) },
            in_worst_minute: most,
            worst_minute: clickhouseTime(startMs + worst * 60_000).slice(0, 19),
          };
        })
        .sort(
          by(
            (row) => -row.resets,
            (row) => row.peer,
            (row) => row.direction,
          ),
        )
        .slice(0, 50),
    '11-short-lived-connections': ({ max_ms }) =>
      [
        ...groups(
          lives.filter(({ direction }) => direction === 'active'),
          (event) => `${event.host} ${label(event, 'service')} ${peer(event, 'service')}`,
        ),
      ]
        .map(([key, all]) => {
          const [host = '', service = '', remote_service = ''] = key.split(' ');
          const short = count(
            all,
            ({ duration_us }) => (duration_us ?? Number.POSITIVE_INFINITY) < 1000 * Number(max_ms),
          );
          return {
            host,
            service,
            remote_service,
            short,
            connections: all.length,
            percent: (100 * short) / all.length,
          };
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
    '12-close-wait-leaks': ({ min_age_s }) => {
      const states = ofKind(events, 'tcp_state').filter(
        ({ old_state, new_state }) => old_state === 'CLOSE_WAIT' || new_state === 'CLOSE_WAIT',
      );
      const leaked = [...groups(states, (event) => `${event.host} ${event.connection_id}`).values()].filter(
        (all) => {
          const entered = count(all, ({ new_state }) => new_state === 'CLOSE_WAIT');
          return (
            entered > all.length - entered && ms(all.at(-1) as FleetEvent) < endMs - Number(min_age_s) * 1000
          );
        },
      );
      return [...groups(leaked.flat(), (event) => `${label(event, 'service')} ${event.comm}`)]
        .map(([key, all]) => {
          const [service = '', comm = ''] = key.split(' ');
          const oldest = all.map(({ timestamp }) => timestamp).sort()[0] ?? '';
          return {
            service,
            comm,
            leaked: all.length,
            hosts: unique(all, ({ host }) => host),
            oldest: oldest.replace('T', ' ').replace('Z', ''),
          };
        })
        .sort(
          by(
            (row) => -row.leaked,
            (row) => row.service,
          ),
        );
    },
    '13-who-talks-to': ({ service }) =>
      [
        ...groups(
          lives.filter((event) => event.direction === 'passive' && label(event, 'service') === service),
          (event) => `${peer(event, 'service')} ${event.local_port}`,
        ),
      ]
        .map(([key, all]) => ({
          ...{ from_service: key.split(' ')[0] ?? '', port: Number(key.split(' ')[1]) },
          clients: unique(all, ({ remote_address }) => remote_address),
          connections: all.length,
          bytes_in: sum(all, (event) => event.bytes_received ?? 0),
          bytes_out: sum(all, (event) => event.bytes_sent ?? 0),
        }))
        .sort(
          by(
            (row) => -row.connections,
            (row) => row.from_service,
          ),
        ),
    '14-first-seen-after': () => {
      const { address, port, service } = PLANTED.deploy;
      const all = events.filter((event) => event.remote_address === address && event.event === 'tcp_connect');
      const first = all.map(({ timestamp }) => timestamp).sort()[0] ?? '';
      return [
        {
          service,
          peer: address,
          port,
          first_seen: first.replace('T', ' ').replace('Z', ''),
          connects: all.length,
          hosts: unique(all, ({ host }) => host),
        },
      ];
    },
    '15-before-and-after': ({ moment }) => {
      const momentMs = Date.parse(`${moment?.replace(' ', 'T')}Z`);
      return [
        ...groups(
          noSyn,
          (event) => `${label(event, 'service')} ${peer(event, 'service')} ${peer(event, 'rack')}`,
        ),
      ]
        .map(([key, all]) => {
          const [service = '', remote_service = '', remote_rack = ''] = key.split(' ');
          const [before, after] = [
            all.filter((event) => ms(event) < momentMs),
            all.filter((event) => ms(event) >= momentMs),
          ];
          const [b, sb, a, sa] = [again(before), segments(before), again(after), segments(after)];
          const share = (a + b) / (sa + sb);
          const score = (a / sa - b / sb) / Math.sqrt(share * (1 - share) * (1 / sa + 1 / sb));
          const z = Number.isFinite(score) ? Number(score.toFixed(2)) : 0;
          const size = Math.abs(z) >= 5 ? '' : 'perhaps ';
          return {
            ...{
              service,
              remote_service,
              remote_rack,
              before: b,
              segments_before: sb,
              after: a,
              segments_after: sa,
            },
            ...{ per_1000_before: (1000 * b) / sb, per_1000_after: (1000 * a) / sa, z },
            verdict: Math.abs(z) < 3 ? 'no clear difference' : `${size}${z > 0 ? 'worse' : 'better'}`,
          };
        })
        .filter((row) => row.segments_before > 0 && row.segments_after > 0)
        .sort(
          by(
            (row) => -row.z,
            (row) => row.service,
            (row) => row.remote_service,
            (row) => row.remote_rack,
          ),
        );
    },
    '16-story-of-a-connection': ({ host, connection_id }) =>
      events
        .filter((event) => event.host === host && event.connection_id === connection_id)
        .sort(by(({ timestamp }) => timestamp))
        .map((event) => ({
          timestamp: event.timestamp.replace('T', ' ').replace('Z', ''),
          event: event.event,
          old_state: event.old_state ?? null,
          new_state: event.new_state ?? null,
          latency_us: event.latency_us ?? null,
          bytes_sent: event.bytes_sent ?? null,
        })),
    '17-both-ends': ({ rack_a, rack_b }) => {
      const flow = (event: FleetEvent, isTurned: boolean): string => {
        const [local, remote] = [
          `${event.local_address} ${event.local_port}`,
          `${event.remote_address} ${event.remote_port}`,
        ];
        return isTurned ? `${remote} ${local}` : `${local} ${remote}`;
      };
      const others = groups(
        lives.filter((event) => label(event, 'rack') === rack_b),
        (event) => flow(event, true),
      );
      return lives
        .filter((event) => label(event, 'rack') === rack_a)
        .flatMap((a) =>
          (others.get(flow(a, false)) ?? [])
            .filter((b) => Math.abs(ms(a) - ms(b)) < 60_000)
            .map((b) => ({ a, b })),
        )
        .map(({ a, b }) => ({
          ...{
            host_a: a.host,
            port_a: a.local_port ?? 0,
            host_b: b.host,
            port_b: b.local_port,
            ended: a.timestamp.replace('T', ' ').replace('Z', ''),
          },
          ...{ retransmits_a: a.retransmits ?? 0, retransmits_b: b.retransmits ?? 0 },
          ...{
            sent_a: a.bytes_sent,
            received_b: b.bytes_received,
            sent_b: b.bytes_sent,
            received_a: a.bytes_received,
          },
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
    },
    '18-silent-hosts': () => {
      const { name, rack, service } = hostAt(PLANTED.silentHost.index);
      const last = lastStatus(name);
      return [
        {
          host: name,
          rack,
          service,
          last_heard: last.timestamp.replace('T', ' ').replace('Z', ''),
          silent_for_s: Math.floor(endMs / 1000) - Math.floor(ms(last) / 1000),
        },
      ];
    },
    '19-versions': () =>
      [
        ...groups(
          HOSTS.map(({ name }) => lastStatus(name)),
          (status) =>
            `${status.agent_version} ${status.source_kind} ${status.config_hash} ${label(status, 'service')} ${hostAt(HOSTS.findIndex(({ name }) => name === status.host)).kernel}`,
        ),
      ]
        .map(([key, all]) => {
          const [agent_version = '', source_kind = '', config_hash = '', service = '', kernel = ''] =
            key.split(' ');
          return {
            agent_version,
            source_kind,
            config_hash,
            service,
            kernel,
            hosts: all.length,
            example: all.map(({ host }) => host).sort()[0],
          };
        })
        .sort(
          by(
            (row) => row.hosts,
            (row) => row.agent_version,
            (row) => row.config_hash,
            (row) => row.service,
            (row) => row.kernel,
          ),
        ),
    '20-proof': () =>
      [...sessions.values()]
        .map((own) => {
          const [first, last] = [own[0] as FleetEvent, own.at(-1) as FleetEvent];
          const emitted = sum(
            Object.keys(last.ordinals ?? {}),
            (cpu) => (last.ordinals?.[cpu] ?? 0) - (first.ordinals?.[cpu] ?? 0),
          );
          const lost = missing.filter(
            ({ host, event_id }) => host === last.host && sessionOf(event_id) === sessionOf(last.event_id),
          );
          const dropped = count(lost, ({ why }) => why === 'dropped');
          return {
            ...{
              host: last.host,
              session: sessionOf(last.event_id),
              emitted,
              arrived: emitted - lost.length,
              missing: lost.length,
            },
            ...{
              given_up: dropped > 0 ? { 'sink.kafka.dropped.spool_full': dropped } : {},
              unexplained: lost.length - dropped,
            },
          };
        })
        .sort(
          by(
            (row) => -row.unexplained,
            (row) => -row.missing,
            (row) => row.host,
            (row) => row.session,
          ),
        )
        .slice(0, 50),
    '21-missing-events': ({ host }) =>
      missing
        .filter((one) => one.host === host)
        .map(({ event_id }) => ({
          session: sessionOf(event_id),
          cpu: Number(event_id.split('-').at(-2)),
          first_ordinal: ordinalOf(event_id),
          last_ordinal: ordinalOf(event_id),
          events: 1,
        }))
        .sort(by((row) => row.first_ordinal)),
    '22-proof-of-the-kernel': () =>
      [...sessions.values()]
        .map((own) => {
          const [first, last] = [own[0] as FleetEvent, own.at(-1) as FleetEvent];
          const grown = (of: 'counters' | 'ledger', name: string): number =>
            (last[of]?.[name] ?? 0) - (first[of]?.[name] ?? 0);
          const kernel = grown('counters', 'Tcp.RetransSegs');
          const session = sessionOf(last.event_id);
          const recorded = count(
            retransmits,
            (event) =>
              event.host === last.host &&
              sessionOf(event.event_id) === session &&
              event.timestamp < last.timestamp,
          );
          const [suppressed, lost_records] = [
            grown('ledger', 'suppressed.tcp_retransmit'),
            grown('ledger', 'lost.kernel_overrun'),
          ];
          return {
            host: last.host,
            session,
            kernel,
            events: recorded,
            suppressed,
            lost_records,
            difference: kernel - recorded - suppressed - lost_records,
          };
        })
        .sort(
          by(
            (row) => -Math.abs(row.difference),
            (row) => -row.lost_records,
            (row) => -row.kernel,
            (row) => row.host,
            (row) => row.session,
          ),
        )
        .slice(0, 50),
    '23-whose-address': ({ address = '' }) =>
      HOSTS.flatMap((host) => {
        const minutes = Array.from({ length: DURATION_MINUTES }, (_, minute) => minute).filter(
          (minute) => isHeard(host, minute) && addressesOf(host, minute).includes(address),
        );
        return minutes.length === 0 ? [] : [{ host: host.name, rack: host.rack, service: host.service }];
      }),
    '24-which-direction-loses': ({ rack_a, rack_b }) =>
      [
        [rack_a, rack_b],
        [rack_b, rack_a],
      ].map(([from_rack, to_rack]) => {
        const all = matrix.filter(
          (event) => label(event, 'rack') === from_rack && peer(event, 'rack') === to_rack,
        );
        return {
          ...{
            from_rack,
            to_rack,
            retransmits: again(all),
            segments: segments(all),
            per_1000_segments: (1000 * again(all)) / segments(all),
          },
          ...{
            hosts: unique(all, ({ host }) => host),
            peers: unique(all, ({ remote_address }) => remote_address),
          },
        };
      }),
    '25-since-when': ({ rack_a, rack_b }) => {
      const all = matrix.filter((event) => label(event, 'rack') === rack_a && peer(event, 'rack') === rack_b);
      const steps = Array.from({ length: DURATION_MINUTES / 5 }, (_, index) => {
        const fromMs = startMs + index * 300_000;
        const inStep = all.filter((event) => ms(event) >= fromMs && ms(event) < fromMs + 300_000);
        return { step: clickhouseTime(fromMs).slice(0, 19), retransmits: again(inStep) };
      });
      const isJump = (index: number): boolean => {
        const [now = 0, ...earlier] = steps
          .slice(0, index + 1)
          .map((step) => step.retransmits)
          .reverse();
        return now >= 10 && now > 5 * (earlier.length > 0 ? quantile(0.5, earlier) : 0);
      };
      const since = steps.find((_, index) => isJump(index))?.step;
      return steps.map((step) => ({ ...step, since }));
    },
    '26-what-the-bad-hosts-share': () => {
      const names = ['datacenter', 'rack', 'role', 'service', 'owner'];
      const [allAgain, allSegments] = [again(noSyn), segments(noSyn)];
      return names
        .flatMap((name) =>
          [...groups(noSyn, (event) => label(event, name))].map(([value, all]) => {
            const percent_of_retransmits = Number(((100 * again(all)) / allAgain).toFixed(1));
            const percent_of_segments = Number(((100 * segments(all)) / allSegments).toFixed(1));
            const lift = Number((percent_of_retransmits / percent_of_segments).toFixed(2));
            return {
              label: name,
              value,
              retransmits: again(all),
              hosts: unique(all, ({ host }) => host),
              percent_of_retransmits,
              percent_of_segments,
              lift,
            };
          }),
        )
        .sort(
          by(
            (row) => -row.lift,
            (row) => -row.retransmits,
            (row) => row.label,
            (row) => row.value,
          ),
        );
    },
    '27-one-connection-or-all': ({ remote_host }) =>
      [
        ...groups(
          lives.filter((event) => peer(event, 'name') === remote_host),
          (event) => label(event, 'rack'),
        ),
      ]
        .map(([from_rack, all]) => {
          const with_retransmits = count(all, (event) => (event.retransmits ?? 0) > 0);
          return {
            ...{
              from_rack,
              connections: all.length,
              with_retransmits,
              percent: (100 * with_retransmits) / all.length,
            },
            ...{
              most: Math.max(...all.map((event) => event.retransmits ?? 0)),
              total: sum(all, (event) => event.retransmits ?? 0),
            },
          };
        })
        .sort(
          by(
            (row) => -row.total,
            (row) => row.from_rack,
          ),
        ),
    '28-round-trip-times': () =>
      [
        ...groups(
          lives.filter((event) => typeof event.srtt_us === 'number'),
          (event) => `${label(event, 'service')} ${peer(event, 'service')}`,
        ),
      ]
        .map(([key, all]) => {
          const values = all.map((event) => event.srtt_us ?? 0);
          const at = (level: number): number => Number((quantile(level, values) / 1000).toFixed(3));
          return {
            service: key.split(' ')[0] ?? '',
            remote_service: key.split(' ')[1] ?? '',
            connections: all.length,
            p50_ms: at(0.5),
            p95_ms: at(0.95),
          };
        })
        .sort(
          by(
            (row) => -row.p50_ms,
            (row) => row.service,
            (row) => row.remote_service,
          ),
        ),
    '29-bad-interfaces': () => {
      const { hostIndex, fromMinute, errorsPerMinute } = PLANTED.badCable;
      const { name, rack } = hostAt(hostIndex);
      return [
        {
          host: name,
          rack,
          interface: 'eth0',
          counter: 'rx_errors',
          errors: (DURATION_MINUTES - fromMinute) * errorsPerMinute,
        },
      ];
    },
    '30-refused-or-unreachable': () => {
      const { address, port, service } = PLANTED.unreachable;
      const failed = count(
        events,
        ({ old_state, new_state }) => old_state === 'SYN_SENT' && new_state === 'CLOSE',
      );
      return [{ peer: address, port, service, how: 'unreachable', failed, waited_ms: 15_000 }];
    },
    '33-resets-by-stage': () =>
      [...groups(resets, (event) => `${label(event, 'service')} ${event.state} ${event.reset_direction}`)]
        .map(([key, all]) => {
          const [service = '', state = '', direction = ''] = key.split(' ');
          return {
            service,
            state,
            direction,
            resets: all.length,
            peers: unique(all, ({ remote_address }) => remote_address),
          };
        })
        .sort(
          by(
            (row) => -row.resets,
            (row) => row.service,
            (row) => row.state,
            (row) => row.direction,
          ),
        ),
    '34-traffic-of-services': () =>
      [
        ...groups(
          events.filter(({ event }) => event !== 'host_status'),
          (event) => `${event.timestamp.slice(0, 13)} ${label(event, 'service')}`,
        ),
      ]
        .map(([key, all]) => ({
          hour: `${key.split(' ')[0]?.replace('T', ' ')}:00:00`,
          service: key.split(' ')[1] ?? '',
          connected: ofKind(all, 'tcp_connect').length,
          accepted: ofKind(all, 'tcp_accept').length,
          retransmitted: again(all),
          resets: ofKind(all, 'tcp_reset').length,
        }))
        .sort(
          by(
            (row) => row.hour,
            (row) => row.service,
          ),
        ),
    '35-busiest-pairs': () =>
      [
        ...groups(
          events.filter(({ event }) => event !== 'host_status'),
          (event) => `${event.host} ${event.remote_address}`,
        ),
      ]
        .map(([key, all]) => {
          const ended = ofKind(all, 'tcp_life');
          return {
            ...{ host: key.split(' ')[0] ?? '', peer: key.split(' ')[1] ?? '' },
            ...{
              sent: sum(ended, (event) => event.bytes_sent ?? 0),
              received: sum(ended, (event) => event.bytes_received ?? 0),
            },
            ...{ connections: ended.length, retransmitted: again(all) },
          };
        })
        .sort(
          by(
            (row) => -(row.sent + row.received),
            (row) => row.host,
            (row) => row.peer,
          ),
        )
        .slice(0, 50),
    '36-reordering-and-mtu': () => {
      const { hostIndex, fromMinute, perMinute } = PLANTED.reordering;
      const { name, rack } = hostAt(hostIndex);
      return [
        {
          host: name,
          rack,
          duplicates: 0,
          reordered: (DURATION_MINUTES - fromMinute) * perMinute,
          lost_fragments: 0,
        },
      ];
    },
  };
}
