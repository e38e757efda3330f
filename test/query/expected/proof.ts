/** The questions that compare what agents say of themselves with what has arrived. */
import type { FleetEvent } from '../../support/fleet-truth/event.ts';
import { by, count, grouped, msOf, type Sorted, sessionOf, sum, type Truth, timeOf } from './facts.ts';

const IS_GIVEN_UP = /^sink\.[^.]+\.(dropped|rejected)\./;

/** One agent's run: its first and its last host_status. */
interface Run {
  readonly host: string;
  readonly session: string;
  readonly first: FleetEvent;
  readonly last: FleetEvent;
}

/** By how much a number of the account, or of the kernel, has grown in a run. */
const grown = ({ first, last }: Run, of: 'counters' | 'ledger', name: string): number =>
  (last[of]?.[name] ?? 0) - (first[of]?.[name] ?? 0);

/** What has grown of the account's numbers whose names fit. */
const grownOf = (run: Run, is: (name: string) => boolean): Record<string, number> =>
  Object.fromEntries(
    Object.keys(run.last.ledger ?? {})
      .filter(is)
      .map((name) => [name, grown(run, 'ledger', name)] as const)
      .filter(([, value]) => value > 0),
  );
const total = (counts: Readonly<Record<string, number>>): number =>
  sum(Object.values(counts), (value) => value);

export function proofAnswers({ statuses, retransmits, missing, startMs }: Sorted): Record<string, Truth> {
  const runs: Run[] = grouped(statuses, ({ host, boot_id, event_id }) => ({
    host,
    boot_id,
    session: sessionOf(event_id),
  })).map(({ words, all }) => ({ ...words, first: all[0] as FleetEvent, last: all.at(-1) as FleetEvent }));

  return {
    '20-proof': () =>
      runs
        .map((run) => {
          const { host, session, first, last } = run;
          const cpus = Object.entries(last.ordinals ?? {});
          const emitted = sum(cpus, ([cpu, until]) => until - (first.ordinals?.[cpu] ?? 0));
          const lost = count(missing, (one) => one.host === host && sessionOf(one.event_id) === session);
          const given_up = grownOf(run, (name) => IS_GIVEN_UP.test(name));
          return {
            ...{ host, session, emitted, arrived: emitted - lost, missing: lost, given_up },
            unexplained: lost - total(given_up),
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
    '21-missing-events': ({ host }) => {
      const places = missing
        .filter((one) => one.host === host)
        .map(({ event_id }) => {
          const [session = '', cpu, ordinal] = event_id.split('-').slice(-3);
          return { session, cpu: Number(cpu), ordinal: Number(ordinal) };
        })
        .sort(
          by(
            (row) => row.session,
            (row) => row.cpu,
            (row) => row.ordinal,
          ),
        );
      // Neighbours are one range: their distance from their place in the list is the same.
      return grouped(
        places.map((place, index) => ({ ...place, island: place.ordinal - index })),
        ({ session, cpu, island }) => ({ session, cpu, island }),
      ).map(({ words: { session, cpu }, all }) => {
        const [first = 0, last = 0] = [all[0]?.ordinal, all.at(-1)?.ordinal];
        const reports = statuses.filter((one) => one.host === host && sessionOf(one.event_id) === session);
        const emitted = ({ ordinals }: FleetEvent): number => ordinals?.[cpu] ?? 0;
        return {
          ...{ session, cpu, first_ordinal: first, last_ordinal: last, events: all.length },
          emitted_after: timeOf(reports.findLast((one) => emitted(one) <= first) as FleetEvent),
          emitted_before: timeOf(reports.find((one) => emitted(one) > last) as FleetEvent),
        };
      });
    },
    '22-proof-of-the-kernel': () =>
      runs
        .map((run) => {
          const { host, session, first, last } = run;
          const kernel = grown(run, 'counters', 'Tcp.RetransSegs');
          const events = count(
            retransmits,
            (event) =>
              event.host === host &&
              sessionOf(event.event_id) === session &&
              event.timestamp >= first.timestamp &&
              event.timestamp < last.timestamp,
          );
          const suppressed = grown(run, 'ledger', 'suppressed.tcp_retransmit');
          const lost_records = total(grownOf(run, (name) => name.startsWith('lost.')));
          const difference = kernel - events - suppressed - lost_records;
          return { host, session, kernel, events, suppressed, lost_records, difference };
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
    '37-given-up': () => {
      const parts = runs.flatMap((run) => {
        const isStart = msOf(run.first) - (run.first.uptime_s ?? 0) * 1000 >= startMs;
        const whole = isStart ? { ...run, first: { ...run.first, ledger: {} } } : run;
        const lost = grownOf(whole, (name) => name.startsWith('lost.') || IS_GIVEN_UP.test(name));
        return Object.entries(lost).map(([reason, value]) => ({ reason, host: run.host, value }));
      });
      return grouped(parts, ({ reason, host }) => ({ reason, host }))
        .map(({ words, all }) => ({ ...words, lost: sum(all, ({ value }) => value) }))
        .sort(
          by(
            (row) => -row.lost,
            (row) => row.reason,
            (row) => row.host,
          ),
        )
        .slice(0, 50);
    },
  };
}
