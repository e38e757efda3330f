/** The questions about segments that were sent again. */
import type { FleetEvent } from '../../support/fleet-truth/event.ts';
import {
  type Answer,
  again,
  by,
  count,
  grouped,
  label,
  msOf,
  ofKind,
  quantile,
  rounded,
  type Sorted,
  secondText,
  segments,
  serviceOf,
  sum,
  type Truth,
  unique,
} from './facts.ts';

const STEP_MS = 300_000;
const per1000 = (events: readonly FleetEvent[]): number => (1000 * again(events)) / segments(events);

function matrix({ traffic, peer }: Sorted, word: 'rack' | 'service'): Answer {
  const own = (event: FleetEvent): string => (word === 'rack' ? label(event, word) : serviceOf(event));
  return grouped(traffic, (event) => ({ from: own(event), to: peer(event, word) }))
    .toSorted(
      by(
        ({ all }) => -again(all),
        ({ words }) => words.from,
        ({ words }) => words.to,
      ),
    )
    .map(({ words, all }) => ({
      [`from_${word}`]: words.from,
      [`to_${word}`]: words.to,
      connections: ofKind(all, 'tcp_life').length,
      retransmits: again(all),
      segments: segments(all),
      per_1000_segments: per1000(all),
    }));
}

/** Whether the shares before and after differ by more than chance, as question 15 tells it. */
function compare(before: readonly FleetEvent[], after: readonly FleetEvent[]) {
  const [b, sb, a, sa] = [again(before), segments(before), again(after), segments(after)];
  const share = (a + b) / (sa + sb);
  const score = (a / sa - b / sb) / Math.sqrt(share * (1 - share) * (1 / sa + 1 / sb));
  const z = Number.isFinite(score) ? rounded(score, 2) : 0;
  const size = Math.abs(z) >= 5 ? '' : 'perhaps ';
  return {
    ...{ before: b, segments_before: sb, after: a, segments_after: sa },
    ...{ per_1000_before: (1000 * b) / sb, per_1000_after: (1000 * a) / sa, z },
    verdict: Math.abs(z) < 3 ? 'no clear difference' : `${size}${z > 0 ? 'worse' : 'better'}`,
  };
}

/** Five-minute steps from one rack to another, and the first one that is far above those before it. */
function steps({ traffic, peer, startMs, endMs }: Sorted, from: string, to: string): Answer {
  const all = traffic.filter(
    (event) => event.event !== 'tcp_life' && label(event, 'rack') === from && peer(event, 'rack') === to,
  );
  const found = Array.from({ length: Math.ceil((endMs - startMs) / STEP_MS) }, (_, index) => {
    const fromMs = startMs + index * STEP_MS;
    const inStep = all.filter((event) => msOf(event) >= fromMs && msOf(event) < fromMs + STEP_MS);
    return { step: secondText(fromMs), retransmits: again(inStep) };
  });
  const isJump = (index: number): boolean => {
    const counts = found.slice(0, index + 1).map(({ retransmits }) => retransmits);
    const now = counts.pop() ?? 0;
    return now >= 10 && now > 5 * quantile(0.5, counts);
  };
  const since = found.find((_, index) => isJump(index))?.step ?? '1970-01-01 00:00:00';
  return found.map((step) => ({ ...step, since }));
}

/** Of each value of each label: its share of the retransmits against its share of the segments. */
function common({ traffic }: Sorted): Answer {
  const measured = grouped(traffic, ({ host }) => ({ host })).flatMap(({ all }) =>
    segments(all) > 0 ? all : [],
  );
  const names = new Set(measured.flatMap(({ labels }) => Object.keys(labels)));
  names.delete('version');
  return [...names]
    .flatMap((name) => {
      const labelled = measured.filter(({ labels }) => name in labels);
      const [allAgain, allSegments] = [again(labelled), segments(labelled)];
      return grouped(labelled, (event) => ({ label: name, value: label(event, name) })).map(
        ({ words, all }) => {
          const percent_of_retransmits = rounded((100 * again(all)) / allAgain, 1);
          const percent_of_segments = rounded((100 * segments(all)) / allSegments, 1);
          return {
            ...{ ...words, retransmits: again(all), hosts: unique(all, ({ host }) => host) },
            ...{ percent_of_retransmits, percent_of_segments },
            lift: rounded(percent_of_retransmits / percent_of_segments, 2),
          };
        },
      );
    })
    .sort(
      by(
        (row) => -row.lift,
        (row) => -row.retransmits,
        (row) => row.label,
        (row) => row.value,
      ),
    );
}

export function retransmitAnswers(facts: Sorted): Record<string, Truth> {
  const { traffic, retransmits, lives, peer } = facts;
  return {
    '01-worst-peers': ({ min_segments }) =>
      grouped(traffic, (event) => ({
        peer: event.remote_address ?? '',
        remote_host: peer(event, 'name'),
        remote_rack: peer(event, 'rack'),
      }))
        .map(({ words, all }) => ({
          ...words,
          retransmits: again(all),
          segments: segments(all),
          percent: rounded((100 * again(all)) / segments(all), 3),
        }))
        .filter((row) => row.segments >= Number(min_segments))
        .sort(
          by(
            (row) => -row.percent,
            (row) => row.peer,
          ),
        )
        .slice(0, 50),
    '02-retransmits-per-gb': () =>
      grouped(traffic, (event) => ({ service: serviceOf(event) }))
        .map(({ words, all }) => {
          const bytes = sum(ofKind(all, 'tcp_life'), (event) => event.bytes_sent ?? 0);
          return {
            ...{ ...words, retransmits: again(all), bytes, segments: segments(all) },
            ...{ per_gb: (1e9 * again(all)) / bytes, per_1000_segments: per1000(all) },
          };
        })
        .filter(({ bytes }) => bytes > 0)
        .sort(by((row) => -row.per_gb)),
    '03-by-kind': () =>
      grouped(retransmits, (event) => ({
        service: serviceOf(event),
        retransmit_kind: event.retransmit_kind ?? '',
      }))
        .map(({ words, all }) => {
          const ofService = count(retransmits, (event) => serviceOf(event) === words.service);
          return {
            ...{ ...words, retransmits: all.length },
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
    '04-rack-matrix': () => matrix(facts, 'rack'),
    '05-service-matrix': () => matrix(facts, 'service'),
    '15-before-and-after': ({ moment }) => {
      const momentMs = Date.parse(`${moment?.replace(' ', 'T')}Z`);
      return grouped(traffic, (event) => ({
        service: serviceOf(event),
        remote_service: peer(event, 'service'),
        remote_rack: peer(event, 'rack'),
      }))
        .map(({ words, all }) => {
          const [before, after] = [
            all.filter((event) => msOf(event) < momentMs),
            all.filter((event) => msOf(event) >= momentMs),
          ];
          return { ...words, ...compare(before, after) };
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
    '24-which-direction-loses': ({ rack_a, rack_b }) =>
      grouped(traffic, (event) => ({ from_rack: label(event, 'rack'), to_rack: peer(event, 'rack') }))
        .filter(
          ({ words: { from_rack, to_rack } }) =>
            (from_rack === rack_a && to_rack === rack_b) || (from_rack === rack_b && to_rack === rack_a),
        )
        .map(({ words, all }) => ({
          ...{ ...words, retransmits: again(all), segments: segments(all), per_1000_segments: per1000(all) },
          hosts: unique(all, ({ host }) => host),
          peers: unique(all, ({ remote_address }) => remote_address),
        }))
        .sort(by((row) => -row.retransmits)),
    '25-since-when': ({ rack_a = '', rack_b = '' }) => steps(facts, rack_a, rack_b),
    '26-what-the-bad-hosts-share': () => common(facts),
    '27-one-connection-or-all': ({ remote_host }) =>
      grouped(
        lives.filter((event) => peer(event, 'name') === remote_host),
        (event) => ({ from_rack: label(event, 'rack') }),
      )
        .map(({ words, all }) => {
          const with_retransmits = count(all, (event) => (event.retransmits ?? 0) > 0);
          return {
            ...{ ...words, connections: all.length, with_retransmits },
            percent: (100 * with_retransmits) / all.length,
            most: Math.max(...all.map((event) => event.retransmits ?? 0)),
            total: sum(all, (event) => event.retransmits ?? 0),
          };
        })
        .sort(
          by(
            (row) => -row.total,
            (row) => row.from_rack,
          ),
        ),
  };
}
