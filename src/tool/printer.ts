/** Prints for a tool: lines of a table or of CSV, published events, or counts at the end. */
import { createSerializer } from '../event/serializer.ts';
import { toWallMilliseconds } from '../source/clock.ts';
import type { Choice } from './choice.ts';
import { type CellContext, COLUMNS, type Column, type ColumnName, CSV_COLUMNS } from './column.ts';
import { createFilter } from './filter.ts';
import { csvFormat, type LineColumn, tableFormat } from './line.ts';
import { createTally } from './tally.ts';
import type { Tool } from './tool.ts';
import { createUidLookup } from './uid.ts';
import type { Facts, View } from './view.ts';

/** The columns of a tool's lines, from left to right. */
export function columnsOf(tool: Tool, choice: Choice): ColumnName[] {
  const { time, timestamp, printUid, wide, format, sequence } = choice;
  const columns: ColumnName[] = [...tool.columns];
  if (tool.ipBefore !== null && (wide || format === 'csv')) {
    columns.splice(columns.indexOf(tool.ipBefore), 0, 'ip');
  }
  if (wide) columns.push(tool.columns.includes('currentPid') ? 'currentUnit' : 'unit');
  if (sequence) columns.push('sequence');
  if (printUid) columns.unshift('uid');
  if (timestamp) columns.unshift('seconds');
  if (time) columns.unshift('time');
  return columns;
}

function shownColumns(names: readonly ColumnName[], { format }: Choice): Column[] {
  const expand = (name: ColumnName): readonly ColumnName[] => CSV_COLUMNS[name] ?? [name];
  return (format === 'csv' ? names.flatMap(expand) : names).map((name) => COLUMNS[name]);
}

function formatOf(columns: readonly Column[], { format, wide }: Choice, last: LineColumn[] = []) {
  const sized = columns.map((column) => ({ ...column, width: (wide ? column.wide : null) ?? column.width }));
  return (format === 'csv' ? csvFormat : tableFormat)([...sized, ...last]);
}

/** What is not shown, and why, in one line each. */
export function notesOf(tool: Tool, choice: Choice, tellsAll: boolean): string[] {
  const notes: string[] = [];
  if (choice.count && choice.from === null && !Number.isFinite(choice.seconds)) {
    notes.push('counting; Ctrl-C shows the counts');
  }
  if (choice.from !== null && (choice.uid !== null || choice.printUid)) {
    notes.push('the user of a process is not in a recording: UID is unknown, and --uid shows nothing');
  }
  const byOwner = choice.pid !== null ? '--pid' : choice.unit !== null ? '--unit' : null;
  if (!tellsAll && byOwner !== null && tool.ownerOnlyWithModule === true) {
    notes.push(`${byOwner} shows nothing: the native tracepoints do not tell whose connection it is`);
  }
  if (tellsAll || choice.format === 'json') return notes;
  const shown = choice.count ? [] : columnsOf(tool, choice).map((name) => COLUMNS[name]);
  const lacking = shown.filter(({ onlyModule }) => onlyModule === true).map(({ title }) => title);
  if (tool.ownerOnlyWithModule === true) lacking.unshift('PID', 'COMM');
  if (lacking.length > 0) {
    notes.push(
      `${lacking.join(', ')}: unknown to the native tracepoints; tcp_trace.ko tells (ktc module --help)`,
    );
  }
  if (choice.lossProbes) {
    notes.push(
      'loss probes: shown as R> by the native tracepoints; tcp_trace.ko tells them apart (ktc module --help)',
    );
  }
  return notes;
}

/** The view of a tool in the format that the user chose. */
export function createPrinter(tool: Tool, choice: Choice, facts: Facts): View {
  const context = {
    toWallMs: (time: number) => toWallMilliseconds(facts.clock, time),
    firstTime: Number.NaN,
    uidOf: facts.isLive ? createUidLookup() : () => null,
  };
  const wants = createFilter(tool, choice, context);
  if (choice.format === 'json') return jsonPrinter(facts, wants);
  const { count } = tool;
  return choice.count && count !== undefined
    ? countPrinter(count, choice, context, wants)
    : linePrinter(shownColumns(columnsOf(tool, choice), choice), choice, context, wants);
}

type Wants = ReturnType<typeof createFilter>;

function linePrinter(
  columns: readonly Column[],
  choice: Choice,
  context: CellContext & { firstTime: number },
  wants: Wants,
): View {
  const { header, line } = formatOf(columns, choice);
  let text = `${header}\n`;
  return {
    event(draft) {
      if (!wants(draft)) return;
      if (Number.isNaN(context.firstTime)) context.firstTime = draft.time;
      text += `${line(columns.map(({ cell }) => cell(draft, context)))}\n`;
    },
    take() {
      const taken = text;
      text = '';
      return taken;
    },
    end: () => '',
  };
}

function countPrinter(
  count: NonNullable<Tool['count']>,
  choice: Choice,
  context: CellContext,
  wants: Wants,
): View {
  const tally = createTally();
  const columns = shownColumns(count.columns, choice);
  const { header, line } = formatOf(columns, choice, [{ title: count.title, width: count.title.length }]);
  return {
    event(draft) {
      if (wants(draft)) tally.add(columns.map(({ cell }) => cell(draft, context)));
    },
    take: () => '',
    end() {
      const lines = tally.rows().map((row) => line([...row.cells, row.count]));
      if (tally.others > 0) lines.push(line([...columns.map(() => 'others'), tally.others]));
      return `${[header, ...lines].join('\n')}\n`;
    },
  };
}

function jsonPrinter({ kernel, session, clock }: Facts, wants: Wants): View {
  const serializer = createSerializer({ kernel, session, labels: {} }, clock);
  const buffer = Buffer.allocUnsafe(serializer.maxBytes);
  let text = '';
  return {
    event(draft) {
      if (wants(draft)) text += `${buffer.toString('utf8', 0, serializer.write(buffer, 0, draft))}\n`;
    },
    take() {
      const taken = text;
      text = '';
      return taken;
    },
    end: () => '',
  };
}
