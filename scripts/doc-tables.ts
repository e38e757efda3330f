/** The tables of the documentation that come from tables in the code. */
import { DROP_REASONS, FILTER_REASONS, LOSS_REASONS, REJECT_REASONS } from '../src/ledger/reasons.ts';
import { PROBE_TABLE } from '../src/source/probes.ts';
import { METRICS } from '../src/telemetry/metric-table.ts';
import { DELIVERY_LATENCY } from '../src/telemetry/metrics.ts';
import { commonFieldsTable, fieldNamesTable, ownFieldsTable, tcpFieldsTable } from './field-tables.ts';
import { tableOf } from './markdown.ts';

interface DocTable {
  /** Below docs/. */
  readonly page: string;
  /** The table stands between `<!-- NAME: begin … -->` and `<!-- NAME: end -->`. */
  readonly name: string;
  readonly text: string;
}

function reasonTable(reasons: Readonly<Record<string, string>>): string {
  return tableOf(
    ['reason', 'meaning'],
    Object.entries(reasons).map(([reason, meaning]) => [`\`${reason}\``, meaning]),
  );
}

const losses = Object.entries(LOSS_REASONS);

const metrics = [
  ...METRICS.map((row) => ({ ...row, name: row.kind === 'counter' ? `${row.name}_total` : row.name })),
  { ...DELIVERY_LATENCY, kind: 'histogram' },
];

export const DOC_TABLES: readonly DocTable[] = [
  { page: 'events.md', name: 'fields of all kinds', text: commonFieldsTable() },
  { page: 'events.md', name: 'fields of all kinds of TCP', text: tcpFieldsTable() },
  { page: 'events.md', name: 'fields of some kinds', text: ownFieldsTable() },
  { page: 'events.md', name: 'names of fields', text: fieldNamesTable() },
  { page: 'pipeline.md', name: 'filtered', text: reasonTable(FILTER_REASONS) },
  { page: 'pipeline.md', name: 'rejected', text: reasonTable(REJECT_REASONS) },
  { page: 'pipeline.md', name: 'dropped', text: reasonTable(DROP_REASONS) },
  {
    page: 'pipeline.md',
    name: 'lost',
    text: tableOf(
      ['reason', 'counts', 'meaning'],
      losses.map(([reason, { unit, meaning }]) => [`\`${reason}\``, unit, meaning]),
    ),
  },
  {
    page: 'source.md',
    name: 'probes',
    text: tableOf(
      ['`source.probes.`', 'native tracepoint', 'events that come from it'],
      Object.entries(PROBE_TABLE).map(([name, { tracepoint, events }]) => [
        `\`${name}\``,
        tracepoint === null ? '–' : `\`${tracepoint.replace('/', ':')}\``,
        events,
      ]),
    ),
  },
  {
    page: 'telemetry.md',
    name: 'metrics',
    text: tableOf(
      ['metric', 'type', 'unit', 'attributes', 'meaning'],
      metrics.map(({ name, kind, unit, attributes, description }) => [
        ...[`\`${name}\``, kind, unit],
        ...[attributes.map((attribute) => `\`${attribute}\``).join(', '), description],
      ]),
    ),
  },
  {
    page: 'telemetry.md',
    name: 'losses',
    text: tableOf(
      ['`fault`', '`msg`'],
      losses.map(([reason, { advice }]) => [`\`${reason}\``, advice]),
    ),
  },
];

/** The page with the table in its place. Throws where the page has no place for it. */
export function placeTable(page: string, { name, text }: Pick<DocTable, 'name' | 'text'>): string {
  const begin = page.indexOf(`<!-- ${name}: begin`);
  const start = page.indexOf('\n', begin) + 1;
  const end = page.indexOf(`<!-- ${name}: end -->`);
  if (begin < 0 || end < start) throw new Error(`the page has no place for the table ${name}`);
  return `${page.slice(0, start)}\n${text}\n${page.slice(end)}`;
}
