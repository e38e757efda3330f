/** Columns that several tables have. */
import { RETRANSMIT_KINDS } from '../../event/kinds.ts';
import { grouped } from '../../shared/text.ts';
import type { Measure } from '../model.ts';
import { bytesOf, type Figures } from '../view.ts';
import { KIND_NAMES, microseconds, percent, short } from '../words.ts';
import { h, withProperty } from './dom.ts';
import type { Column } from './table.ts';

type Sums = { readonly sums: Readonly<Record<Measure, number>> };

export const UNKNOWN = '–';

export function retransmitColumns<Row extends Omit<Figures, 'sums'> & Sums>(): Column<Row>[] {
  return [
    {
      title: 'Retransmits',
      help: 'Segments sent again',
      value: ({ retransmits }) => retransmits,
      isBar: true,
    },
    {
      title: 'Of sent',
      help: 'Segments sent again per segment sent, of the connections that closed; needs tcp_trace.ko',
      isNumber: true,
      value: ({ rate }) => rate,
      text: ({ rate }) => (rate === null ? UNKNOWN : percent(rate)),
    },
    {
      title: 'Kinds',
      help: 'Retransmits by kind; sorted by the share of timeouts',
      isNumber: true,
      value: ({ sums, retransmits }) => (retransmits === 0 ? null : sums.rto / retransmits),
      text: kindsText,
      cell: (row) => mixOf(row),
      legend: kindLegend(),
    },
  ];
}

function kindLegend(): HTMLElement {
  const items = RETRANSMIT_KINDS.map((kind) =>
    h('li', {}, withProperty(h('i'), '--color', `var(--kind-${kind})`), KIND_NAMES[kind]),
  );
  return h('ul', { class: 'legend', 'aria-label': 'Kinds of retransmits' }, ...items);
}

function kindsText({ sums }: Sums): string {
  return RETRANSMIT_KINDS.filter((kind) => sums[kind] > 0)
    .map((kind) => `${KIND_NAMES[kind]} ${grouped(sums[kind])}`)
    .join(', ');
}

/** The kinds of retransmits as parts of a bar, with their numbers as text for those who do not see it. */
function mixOf({ sums, retransmits }: Sums & { readonly retransmits: number }): HTMLElement {
  const text = kindsText({ sums });
  if (retransmits === 0) return h('span', {}, UNKNOWN);
  const parts = RETRANSMIT_KINDS.filter((kind) => sums[kind] > 0).map((kind) =>
    withProperty(h('i', { class: `kind-${kind}` }), '--part', sums[kind]),
  );
  return h('span', { class: 'mix', role: 'img', 'aria-label': text, title: text }, ...parts);
}

export function sumColumn<Row extends Sums>(title: string, measure: Measure, help: string): Column<Row> {
  return { title, help, value: ({ sums }) => sums[measure] };
}

export function bytesColumn<Row extends Sums>(): Column<Row> {
  return {
    title: 'Bytes',
    help: 'Of the connections that closed, both ways; needs tcp_trace.ko',
    isNumber: true,
    value: ({ sums }) => bytesOf(sums),
    text: ({ sums }) => {
      const bytes = bytesOf(sums);
      return bytes === null ? UNKNOWN : short(bytes);
    },
  };
}

export function resetsColumn<Row extends Sums>(): Column<Row> {
  return {
    title: 'Resets',
    help: 'Sent and received',
    value: ({ sums }) => sums.resets_sent + sums.resets_received,
    text: ({ sums }) => {
      const { resets_sent, resets_received } = sums;
      return resets_sent + resets_received === 0 ? '0' : `${short(resets_sent)} + ${short(resets_received)}`;
    },
  };
}

export function durationColumn<Row>(
  title: string,
  help: string,
  of: (row: Row) => number | null,
): Column<Row> {
  return {
    title,
    help,
    isNumber: true,
    value: of,
    text: (row) => {
      const value = of(row);
      return value === null ? UNKNOWN : microseconds(value);
    },
  };
}
