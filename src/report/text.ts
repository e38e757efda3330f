/** What `ktc report --text` prints: the headlines, and the first rows of the tables. */
import { RETRANSMIT_KINDS } from '../event/kinds.ts';
import { formatTable } from '../shared/table.ts';
import { escapeControls, grouped } from '../shared/text.ts';
import { headlinesOf } from './headlines.ts';
import type { ReportModel } from './model.ts';
import { byRetransmits } from './summary.ts';
import { bytesOf, type View, viewOf, wholeRange } from './view.ts';
import {
  counted,
  dateTime,
  microseconds,
  OWNERSHIP_WORDS,
  peerName,
  percent,
  reasonsText,
  serviceName,
  short,
} from './words.ts';

const ROWS = 10;
const MARKS = { bad: '!!', watch: '! ', good: 'ok', note: '- ' } as const;

export function textOf(model: ReportModel): string {
  const view = viewOf(model, wholeRange(model.period));
  const { period, input, account } = model;
  const sections = [
    `${dateTime(period.first_s)} to ${dateTime(period.last_s)} UTC, ${counted(account.length, 'host')}, ${counted(input.events, 'event')}\n`,
    headlinesOf(model, view)
      .map(({ level, text }) => `${MARKS[level]} ${text}\n`)
      .join(''),
    peersTable(view),
    racksTable(view),
    hostsTable(view),
    servicesTable(view),
    accountTable(model),
  ];
  return sections.filter((section) => section !== '').join('\n');
}

const orDash = <T>(value: T | null, text: (value: T) => string): string =>
  value === null ? '-' : text(value);

function peersTable({ peers }: View): string {
  const kinds = RETRANSMIT_KINDS.map((kind) => kind.toUpperCase());
  return table(
    ['RETRANSMITS', 'OF SENT', ...kinds, 'RESETS', 'PEER', 'RACK', 'SERVICE'],
    byRetransmits(peers).map(({ row, sums, retransmits, rate }) => [
      ...[
        grouped(retransmits),
        orDash(rate, percent),
        ...RETRANSMIT_KINDS.map((kind) => grouped(sums[kind])),
      ],
      ...[grouped(sums.resets_sent + sums.resets_received), peerName(row)],
      ...[row.rack ?? '-', row.service ?? '-'],
    ]),
  );
}

function racksTable({ pairs }: View): string {
  return table(
    ['RETRANSMITS', 'OF SENT', 'CLOSED', 'FROM RACK', 'TO RACK'],
    byRetransmits(pairs.rack)
      .filter(({ row }) => row.from !== null || row.to !== null)
      .map(({ row, sums, retransmits, rate }) => [
        ...[grouped(retransmits), orDash(rate, percent), grouped(sums.closed)],
        ...[row.from ?? OWNERSHIP_WORDS.unknown, row.to ?? OWNERSHIP_WORDS[row.ownership]],
      ]),
  );
}

function hostsTable({ hosts }: View): string {
  return table(
    [
      'RETRANSMITS',
      'OF SENT',
      'KERNEL COUNTED',
      'LISTEN DROPS',
      'INTERFACE ERRORS',
      'HOST',
      'RACK',
      'SERVICE',
    ],
    byRetransmits(hosts).map(({ row, sums, retransmits, rate }) => [
      ...[grouped(retransmits), orDash(rate, percent), grouped(sums.kernel_retransmits)],
      ...[grouped(sums.listen_drops), grouped(sums.interface_errors)],
      ...[row.host, row.rack ?? '-', row.service ?? '-'],
    ]),
  );
}

function servicesTable({ services }: View): string {
  return table(
    [
      ...['SERVICE', 'PROGRAM', 'CLOSED', 'BYTES', 'RETRANSMITS'],
      ...['CONNECT P50', 'P95', 'P99', 'RTT P50', 'LIFETIME P50'],
    ],
    [...services]
      .sort((one, other) => other.sums.closed - one.sums.closed)
      .map(({ row, sums, retransmits, spreads: { connect, rtt, lifetime } }) => [
        ...[serviceName(row), row.comm ?? '-', grouped(sums.closed), orDash(bytesOf(sums), short)],
        grouped(retransmits),
        ...[connect.p50_us, connect.p95_us, connect.p99_us, rtt.p50_us, lifetime.p50_us].map((value) =>
          orDash(value, microseconds),
        ),
      ]),
  );
}

/** Only of hosts of which something is missing or given up. */
function accountTable({ account }: ReportModel): string {
  return table(
    ['MISSING', 'OF NUMBERED', 'HOST', 'BY ITS LEDGER'],
    account
      .filter(({ missing, reasons }) => missing > 0 || Object.keys(reasons).length > 0)
      .sort((one, other) => other.missing - one.missing)
      .map((row) => [grouped(row.missing), grouped(row.expected), row.host, reasonsText(row) || '-']),
  );
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
