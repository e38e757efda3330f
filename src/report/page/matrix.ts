/** Who loses segments to whom: a matrix of racks, data centres, roles or services, as a table with shaded cells. */
import { grouped } from '../../shared/text.ts';
import { type PairRow, PLACE_LABELS, type PlaceLabel, type ReportModel } from '../model.ts';
import type { Counted, View } from '../view.ts';
import { OWNERSHIP_WORDS, percent, short } from '../words.ts';
import { createChoice } from './choice.ts';
import { h, nameOf, withProperty } from './dom.ts';
import { type Section, sectionOf } from './section.ts';

const LABELS: Readonly<Record<PlaceLabel, string>> = {
  rack: 'Racks',
  datacenter: 'Data centres',
  role: 'Roles',
  service: 'Services',
};
/** More rows and columns than that nobody reads; those with the most retransmits are kept. */
const MAX_SIDES = 40;

type Pair = Counted<PairRow>;

const SHOWN = [
  {
    id: 'count',
    label: 'Retransmits',
    value: ({ retransmits }: Pair) => retransmits,
    text: (value: number) => short(value),
  },
  {
    id: 'rate',
    label: 'Of sent',
    value: ({ rate }: Pair) => rate ?? 0,
    text: (value: number) => percent(value),
  },
] as const;
type Shown = (typeof SHOWN)[number]['id'];

/** Null where no host has a label. */
export function createMatrixSection({ pairs }: ReportModel): Section | null {
  const labels = PLACE_LABELS.filter((label) =>
    pairs[label].rows.some(({ from, to }) => from !== null && to !== null),
  );
  let [label] = labels;
  if (label === undefined) return null;
  let shown: Shown = 'count';
  let view: View | null = null;
  const place = h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Matrix' });

  function draw(): void {
    if (view === null || label === undefined) return;
    const measure = SHOWN.find(({ id }) => id === shown) ?? SHOWN[0];
    place.replaceChildren(matrixOf(LABELS[label], view.pairs[label], measure));
  }

  const byLabel = createChoice(
    'Between',
    labels.map((id) => ({ id, label: LABELS[id] })),
    label,
    (id) => {
      label = id;
      draw();
    },
  );
  const byMeasure = createChoice<Shown>('Shown', SHOWN, shown, (id) => {
    shown = id;
    draw();
  });
  const note =
    'From the row, which sent again, to the column. A strong row is a place that cannot send, a strong column one that cannot be reached, a single strong cell the way between two.';
  return {
    id: 'matrix',
    title: 'Matrix',
    element: sectionOf(
      'matrix',
      'From where to where',
      note,
      h('div', { class: 'tools' }, byLabel, byMeasure),
      place,
    ),
    update(next) {
      view = next;
      draw();
    },
  };
}

function matrixOf(
  title: string,
  pairs: readonly Pair[],
  { value, text, label }: (typeof SHOWN)[number],
): HTMLElement {
  const froms = sidesOf(pairs, fromOf);
  const tos = sidesOf(pairs, toOf);
  const cells = new Map(pairs.map((pair) => [`${fromOf(pair)}\n${toOf(pair)}`, pair]));
  const highest = pairs.reduce((top, pair) => Math.max(top, value(pair)), 0);
  const cellOf = (from: string, to: string) => {
    const pair = cells.get(`${from}\n${to}`);
    const of = pair === undefined ? 0 : value(pair);
    const details =
      pair === undefined
        ? 'no connection'
        : `${grouped(pair.retransmits)} retransmits, ${grouped(pair.sums.closed)} connections closed`;
    const cell = h(
      'td',
      { title: `${from} → ${to}: ${details}` },
      of === 0 ? h('span', { class: 'zero' }, pair === undefined ? '' : '0') : text(of),
    );
    // The root spreads small numbers, which would all look the same beside a high one.
    return of === 0
      ? cell
      : withProperty(cell, '--heat-share', `${Math.round(100 * Math.sqrt(of / highest))}%`);
  };
  return h(
    'table',
    { class: 'matrix' },
    h('caption', { class: 'hidden' }, `${title}: ${label} from the row to the column`),
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        h('th', { scope: 'col', class: 'corner' }, 'from ↓ to →'),
        ...tos.map((to) => h('th', { scope: 'col' }, nameOf(to))),
      ),
    ),
    h(
      'tbody',
      {},
      ...froms.map((from) =>
        h('tr', {}, h('th', { scope: 'row' }, nameOf(from)), ...tos.map((to) => cellOf(from, to))),
      ),
    ),
  );
}

function fromOf({ row }: Pair): string {
  return row.from ?? OWNERSHIP_WORDS.known;
}

function toOf({ row }: Pair): string {
  return row.to ?? OWNERSHIP_WORDS[row.ownership];
}

/** The names of one side, in their own order; those that are no label come last. */
function sidesOf(pairs: readonly Pair[], side: (pair: Pair) => string): string[] {
  const weights = new Map<string, number>();
  for (const pair of pairs)
    weights.set(side(pair), (weights.get(side(pair)) ?? 0) + pair.retransmits + 1e-6 * pair.sums.closed);
  const kept = [...weights].sort(([, one], [, other]) => other - one).slice(0, MAX_SIDES);
  const others: ReadonlySet<string> = new Set(Object.values(OWNERSHIP_WORDS));
  return kept
    .map(([name]) => name)
    .sort(
      (one, other) =>
        Number(others.has(one)) - Number(others.has(other)) ||
        one.localeCompare(other, 'en', { numeric: true }),
    );
}
