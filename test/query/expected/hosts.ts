/** The questions about what hosts say of themselves. */
import type { FleetEvent } from '../../support/fleet-truth/event.ts';
import { by, grouped, label, msOf, rounded, type Sorted, type Truth, timeOf } from './facts.ts';

const placeOf = (event: FleetEvent): { readonly rack: string; readonly service: string } => ({
  rack: label(event, 'rack'),
  service: label(event, 'service'),
});

export function hostAnswers({ statuses, statusesOf, endMs }: Sorted): Record<string, Truth> {
  const hosts = [...statusesOf].map(([host, own]) => {
    const [first, last] = [own[0] as FleetEvent, own.at(-1) as FleetEvent];
    const growth = (name: string): number => (last.counters?.[name] ?? 0) - (first.counters?.[name] ?? 0);
    return { host, own, first, last, growth };
  });
  return {
    '06-host-retransmit-ratio': () =>
      hosts
        .map(({ host, last, growth }) => {
          const [retransmitted, sent_segments] = [growth('Tcp.RetransSegs'), growth('Tcp.OutSegs')];
          const percent = rounded((100 * retransmitted) / (sent_segments + retransmitted), 3);
          return { host, ...placeOf(last), retransmitted, sent_segments, percent };
        })
        .filter(({ sent_segments }) => sent_segments > 0)
        .sort(
          by(
            (row) => -row.percent,
            (row) => row.host,
          ),
        )
        .slice(0, 50),
    '09-listen-overflows': () =>
      hosts
        .map(({ host, own, last, growth }) => {
          const overflows = (event: FleetEvent): number => event.counters?.['TcpExt.ListenOverflows'] ?? 0;
          const grown = own.filter(
            (event, index) => overflows(event) > overflows(own[Math.max(0, index - 1)] as FleetEvent),
          );
          return {
            ...{ host, ...placeOf(last), overflows: growth('TcpExt.ListenOverflows') },
            ...{ first: grown.map(timeOf)[0], last: grown.map(timeOf).at(-1) },
          };
        })
        .filter(({ overflows }) => overflows > 0)
        .sort(
          by(
            (row) => -row.overflows,
            (row) => row.host,
          ),
        ),
    '18-silent-hosts': ({ silent_s }) =>
      hosts
        .map(({ host, last }) => ({
          ...{ host, ...placeOf(last), last_heard: timeOf(last) },
          silent_for_s: Math.floor(endMs / 1000) - Math.floor(msOf(last) / 1000),
        }))
        .filter(({ silent_for_s }) => silent_for_s >= Number(silent_s))
        .sort(
          by(
            (row) => -row.silent_for_s,
            (row) => row.host,
          ),
        ),
    '19-versions': () =>
      grouped(hosts, ({ last }) => ({
        agent_version: last.agent_version ?? '',
        source_kind: last.source_kind ?? '',
        config_hash: last.config_hash ?? '',
        service: label(last, 'service'),
        kernel: last.kernel,
      }))
        .map(({ words, all }) => ({
          ...{ ...words, hosts: all.length, example: all.map(({ host }) => host).sort()[0] },
        }))
        .sort(
          by(
            (row) => row.hosts,
            (row) => row.agent_version,
            (row) => row.config_hash,
            (row) => row.service,
            (row) => row.kernel,
          ),
        ),
    '23-whose-address': ({ address = '' }) =>
      grouped(
        statuses.filter(({ addresses }) => addresses?.includes(address)),
        (event) => ({ host: event.host, ...placeOf(event) }),
      )
        .sort(by(({ all }) => timeOf(all[0] as FleetEvent)))
        .map(({ words }) => words),
    '29-bad-interfaces': () =>
      hosts
        .flatMap(({ host, first, last }) =>
          Object.entries(last.interfaces ?? {}).flatMap(([name, counters]) =>
            Object.entries(counters).map(([counter, value]) => ({
              ...{ host, rack: label(last, 'rack'), interface: name, counter },
              errors: value - (first.interfaces?.[name]?.[counter] ?? 0),
            })),
          ),
        )
        .filter(({ counter, errors }) => errors > 0 && !/_(packets|bytes)$/.test(counter))
        .sort(
          by(
            (row) => -row.errors,
            (row) => row.host,
            (row) => row.interface,
            (row) => row.counter,
          ),
        ),
    '36-reordering-and-mtu': () =>
      hosts
        .map(({ host, last, growth }) => ({
          ...{ host, rack: label(last, 'rack'), duplicates: growth('TcpExt.TCPDSACKRecv') },
          ...{ reordered: growth('TcpExt.TCPOFOQueue'), lost_fragments: growth('Ip.ReasmFails') },
        }))
        .filter((row) => row.duplicates + row.reordered + row.lost_fragments > 0)
        .sort(
          by(
            (row) => -(row.duplicates + row.reordered + row.lost_fragments),
            (row) => row.host,
          ),
        )
        .slice(0, 50),
  };
}
