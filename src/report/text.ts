/** What `ktc report --text` prints: the headlines, and the first rows of the tables. */
import { RETRANSMIT_KINDS } from '../event/kinds.ts';
import { formatTable } from '../shared/table.ts';
import { escapeControls, grouped } from '../shared/text.ts';
import { headlinesOf } from './headlines.ts';
import type { ReportModel } from './model.ts';
import { byRetransmits } from './summary.ts';
import { viewOf, wholeRange } from './view.ts';
import {
  counted,
  dateTime,
  microseconds,
  OWNERSHIP_WORDS,
  peerName,
  percent,
  serviceName,
  short,
} from './words.ts';

const ROWS = 10;
const MARKS = { bad: '!!', watch: '! ', good: 'ok', note: '- ' } as const;

export function textOf(model: ReportModel): string {
  const view = viewOf(model, wholeRange(model.period));
  const { period, input, account } = model;
  const rate = (value: number | null) => (value === null ? '-' : percent(value));
  const duration = (value: number | null) => (value === null ? '-' : microseconds(value));
  const name = (value: string | null, ownership: keyof typeof OWNERSHIP_WORDS) =>
    value ?? OWNERSHIP_WORDS[ownership];
  const sections = [
    `${dateTime(period.first_s)} to ${dateTime(period.last_s)} UTC, ${counted(account.length, 'host')}, ${counted(input.events, 'event')}\n`,
    headlinesOf(model, view)
      .map(({ level, text }) => `${MARKS[level]} ${text}\n`)
      .join(''),
    table(
      [
        'RETRANSMITS',
        'OF SENT',
        ...RETRANSMIT_KINDS.map((kind) => kind.toUpperCase()),
        'RESETS',
        'PEER',
        'RACK',
        'SERVICE',
      ],
      byRetransmits(view.peers).map(({ row, sums, retransmits, rate: ofSent }) => [
        ...[grouped(retransmits), rate(ofSent), ...RETRANSMIT_KINDS.map((kind) => grouped(sums[kind]))],
        ...[
          grouped(sums.resets_sent + sums.resets_received),
          peerName(row),
          row.rack ?? '-',
          row.service ?? '-',
        ],
      ]),
    ),
    table(
      ['RETRANSMITS', 'OF SENT', 'CLOSED', 'FROM RACK', 'TO RACK'],
      byRetransmits(view.pairs.rack)
        .filter(({ row }) => row.from !== null || row.to !== null)
        .map(({ row, sums, retransmits, rate: ofSent }) => [
          ...[grouped(retransmits), rate(ofSent), grouped(sums.closed)],
          ...[name(row.from, 'unknown'), name(row.to, row.ownership)],
        ]),
    ),
    table(
      [
        'SERVICE',
        'PROGRAM',
        'CLOSED',
        'BYTES',
        'RETRANSMITS',
        'CONNECT P50',
        'P95',
        'P99',
        'RTT P50',
        'LIFETIME P50',
      ],
      [...view.services]
        .sort((one, other) => other.sums.closed - one.sums.closed)
        .map(({ row, sums, retransmits, spreads: { connect, rtt, lifetime } }) => [
          ...[
            serviceName(row),
            row.comm ?? '-',
            grouped(sums.closed),
            short(sums.bytes),
            grouped(retransmits),
          ],
          ...[duration(connect.p50_us), duration(connect.p95_us), duration(connect.p99_us)],
          ...[duration(rtt.p50_us), duration(lifetime.p50_us)],
        ]),
    ),
  ];
  return sections.filter((section) => section !== '').join('\n');
}

/** The first rows, and how many more there are; empty without rows. Names are chosen by others. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const shown = rows.slice(0, ROWS).map((row) => row.map((cell) => cut(escapeControls(cell))));
  const more = rows.length > ROWS ? `(${grouped(rows.length - ROWS)} more)\n` : '';
  return formatTable([head, ...shown]) + more;
}

const CELL = 48;

function cut(cell: string): string {
  return cell.length > CELL ? `${cell.slice(0, CELL - 1)}…` : cell;
}
