/** Who loses segments to whom: a matrix of racks, data centres, roles or services, as a table with shaded cells. */
import { grouped } from '../../shared/text.ts';
import { type PairRow, PLACE_LABELS, type PlaceLabel, type ReportModel } from '../model.ts';
import type { Counted, View } from '../view.ts';
import { OWNERSHIP_WORDS, percent, short } from '../words.ts';
import { createChoice } from './choice.ts';
import { bytesColumn, resetsColumn, retransmitColumns, sumColumn } from './columns.ts';
import { h, nameOf, withProperty } from './dom.ts';
import { type Section, sectionOf } from './section.ts';
import { createTable } from './table.ts';

const LABELS: Readonly<Record<PlaceLabel, string>> = {
  rack: 'Racks',
  datacenter: 'Data centres',
  role: 'Roles',
  service: 'Services',
};
/** More rows and columns than that nobody reads; those with the most retransmits are shown. */
const MAX_SIDES = 40;
/** With more, their names stand upright, so that one sees most of the matrix at once. */
const FEW_COLUMNS = 14;

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
  const left = h('p', { class: 'note' });
  const table = createTable<Pair>({
    caption: 'Pairs',
    columns: [
      { title: 'From', value: ({ row }) => row.from, text: fromOf },
      { title: 'To', value: ({ row }) => row.to, text: toOf },
      ...retransmitColumns<Pair>(),
      sumColumn('Closed', 'closed', 'Connections closed'),
      bytesColumn(),
      resetsColumn(),
    ],
    sortBy: 2,
    empty: 'No connection in this part of the time.',
  });

  function draw(): void {
    if (view === null || label === undefined) return;
    const pairs = view.pairs[label];
    const sides = { froms: sidesOf(pairs, fromOf), tos: sidesOf(pairs, toOf) };
    const measure = SHOWN.find(({ id }) => id === shown) ?? SHOWN[0];
    place.replaceChildren(matrixOf(LABELS[label], pairs, sides, measure));
    left.textContent = leftOutText(sides);
    left.hidden = left.textContent === '';
    table.update(pairs);
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
      left,
      h('details', {}, h('summary', {}, 'As a table'), table.element),
    ),
    update(next) {
      view = next;
      draw();
    },
  };
}

interface Sides {
  /** Each in reading order. */
  readonly shown: readonly string[];
  readonly all: number;
}

interface BothSides {
  readonly froms: Sides;
  readonly tos: Sides;
}

/** Empty where everything is shown. */
function leftOutText({ froms, tos }: BothSides): string {
  const part = (where: string, { shown, all }: Sides) =>
    all > shown.length ? `${shown.length} of ${grouped(all)} ${where}` : '';
  const parts = [part('rows', froms), part('columns', tos)].filter((text) => text !== '');
  return parts.length === 0
    ? ''
    : `Here are ${parts.join(' and ')}, those with the most retransmits. The table has all of them.`;
}

function matrixOf(
  title: string,
  pairs: readonly Pair[],
  { froms, tos }: BothSides,
  { value, text, label }: (typeof SHOWN)[number],
): HTMLElement {
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
    { class: tos.shown.length > FEW_COLUMNS ? 'matrix dense' : 'matrix' },
    h('caption', { class: 'hidden' }, `${title}: ${label} from the row to the column`),
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        h('th', { scope: 'col', class: 'corner' }, 'from ↓ to →'),
        ...tos.shown.map((to) => h('th', { scope: 'col' }, nameOf(to))),
      ),
    ),
    h(
      'tbody',
      {},
      ...froms.shown.map((from) =>
        h('tr', {}, h('th', { scope: 'row' }, nameOf(from)), ...tos.shown.map((to) => cellOf(from, to))),
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
function sidesOf(pairs: readonly Pair[], side: (pair: Pair) => string): Sides {
  const weights = new Map<string, number>();
  for (const pair of pairs)
    weights.set(side(pair), (weights.get(side(pair)) ?? 0) + pair.retransmits + 1e-6 * pair.sums.closed);
  const kept = [...weights].sort(([, one], [, other]) => other - one).slice(0, MAX_SIDES);
  const others: ReadonlySet<string> = new Set(Object.values(OWNERSHIP_WORDS));
  const shown = kept
    .map(([name]) => name)
    .sort(
      (one, other) =>
        Number(others.has(one)) - Number(others.has(other)) ||
        one.localeCompare(other, 'en', { numeric: true }),
    );
  return { shown, all: weights.size };
}
