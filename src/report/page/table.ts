/** A table that can be sorted, filtered and copied; all of its rows can be reached. */
import { grouped } from '../../shared/text.ts';
import { copyButton } from './copy.ts';
import { type Child, h, nameOf, withProperty } from './dom.ts';

export interface Column<Row> {
  readonly title: string;
  /** A sentence on what it is. */
  readonly help?: string;
  /** By which rows are sorted: numbers descending at first, text ascending; null is always last. */
  readonly value: (row: Row) => number | string | null;
  /** What is shown; without it the value, a name that somebody else chose. */
  readonly text?: (row: Row) => string;
  /** Instead of `text`, where more than text is shown. */
  readonly cell?: (row: Row) => Child;
  /** The number is also shown as a bar, in proportion to the highest. */
  readonly isBar?: boolean;
  /** Numbers, also where no row has one. */
  readonly isNumber?: boolean;
  /** What the colours of its cells mean. */
  readonly legend?: HTMLElement;
}

export interface TableOptions<Row> {
  /** For screen readers. */
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  /** The column that rows are sorted by at first. */
  readonly sortBy: number;
  readonly isDescending?: boolean;
  /** Shown instead of a table without rows. */
  readonly empty: string;
}

export interface TableView<Row> {
  readonly element: HTMLElement;
  update(rows: readonly Row[]): void;
}

const FIRST_ROWS = 15;
const MORE_ROWS = 100;
/** With fewer rows, one sees them all at once. */
const FILTER_FROM = 8;
const UNKNOWN = '–';

export function createTable<Row>(options: TableOptions<Row>): TableView<Row> {
  const { columns } = options;
  let rows: readonly Row[] = [];
  let shown: readonly Row[] = [];
  let limit = FIRST_ROWS;
  let sort = { column: options.sortBy, isDescending: options.isDescending ?? true };

  const filter = h('input', {
    type: 'search',
    placeholder: 'Filter',
    'aria-label': `Filter: ${options.caption}`,
    autocomplete: 'off',
  });
  const count = h('span', { class: 'count', role: 'status' });
  const tools = h(
    'div',
    { class: 'tools' },
    filter,
    count,
    ...columns.flatMap(({ legend }) => legend ?? []),
    copyButton('Copy table', () => tsvOf(columns, shown)),
  );
  const heads = columns.map((column, index) => headOf(column, () => sortBy(index)));
  const body = h('tbody');
  const table = h(
    'table',
    {},
    h('caption', { class: 'hidden' }, options.caption),
    h('thead', {}, h('tr', {}, ...heads)),
    body,
  );
  const more = h('button', { type: 'button' });
  const all = h('button', { type: 'button' });
  const foot = h('div', { class: 'more' }, more, all);
  const scroll = h(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': options.caption },
    table,
  );
  const empty = h('p', { class: 'empty' }, options.empty);
  const meanings = meaningsOf(columns);
  const element = h('div', { class: 'table' }, tools, scroll, foot, meanings, empty);

  function sortBy(column: number): void {
    const isText =
      typeof rows.map(columns[column]?.value ?? (() => null)).find((value) => value !== null) === 'string';
    sort = { column, isDescending: sort.column === column ? !sort.isDescending : !isText };
    draw();
  }

  function draw(): void {
    const words = filter.value
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== '');
    const column = columns[sort.column];
    const sorted = column === undefined ? [...rows] : sortRows(rows, column.value, sort.isDescending);
    shown = words.length === 0 ? sorted : sorted.filter((row) => matches(columns, row, words));
    heads.forEach((head, index) => {
      head.setAttribute(
        'aria-sort',
        index !== sort.column ? 'none' : sort.isDescending ? 'descending' : 'ascending',
      );
    });
    const shapes = columns.map((column) => shapeOf(column, rows));
    heads.forEach((head, index) => {
      head.classList.toggle('number', shapes[index]?.isNumber);
    });
    body.replaceChildren(...shown.slice(0, limit).map((row) => rowOf(columns, row, shapes)));
    const rest = shown.length - limit;
    more.hidden = rest <= MORE_ROWS;
    more.textContent = `Show ${MORE_ROWS} more`;
    all.hidden = rest <= 0;
    all.textContent = `Show all ${grouped(shown.length)}`;
    count.textContent =
      words.length === 0
        ? `${grouped(rows.length)} ${rows.length === 1 ? 'row' : 'rows'}`
        : `${grouped(shown.length)} of ${grouped(rows.length)} rows`;
    tools.hidden = rows.length === 0;
    filter.hidden = rows.length < FILTER_FROM;
    scroll.hidden = rows.length === 0;
    if (meanings !== null) meanings.hidden = rows.length === 0;
    empty.hidden = rows.length > 0;
  }

  filter.addEventListener('input', () => {
    limit = FIRST_ROWS;
    draw();
  });
  more.addEventListener('click', () => {
    limit += MORE_ROWS;
    draw();
  });
  all.addEventListener('click', () => {
    limit = Number.POSITIVE_INFINITY;
    draw();
  });
  return {
    element,
    update(next) {
      rows = next;
      draw();
    },
  };
}

function headOf<Row>({ title, help }: Column<Row>, onClick: () => void): HTMLTableCellElement {
  const button = h('button', { type: 'button', title: help ?? null }, title);
  button.addEventListener('click', onClick);
  return h('th', { scope: 'col' }, button);
}

/** What stands in the titles of the heads, for those who have no mouse; null where no column needs words. */
function meaningsOf<Row>(columns: readonly Column<Row>[]): HTMLElement | null {
  const terms = columns.flatMap(({ title, help }) =>
    help === undefined ? [] : [h('div', {}, h('dt', {}, title), h('dd', {}, help))],
  );
  return terms.length === 0
    ? null
    : h('details', {}, h('summary', {}, 'What the columns mean'), h('dl', { class: 'meanings' }, ...terms));
}

function textOf<Row>({ text, value }: Column<Row>, row: Row): string {
  if (text !== undefined) return text(row);
  const of = value(row);
  return of === null ? UNKNOWN : typeof of === 'number' ? grouped(Math.round(of)) : of;
}

interface Shape {
  readonly isNumber: boolean;
  /** What a whole bar stands for; 0 for a column without bars. */
  readonly top: number;
}

function shapeOf<Row>({ isBar, isNumber: isAlways, value }: Column<Row>, rows: readonly Row[]): Shape {
  const isNumber = isAlways === true || rows.some((row) => typeof value(row) === 'number');
  const top = isBar === true ? rows.reduce((most, row) => Math.max(most, Number(value(row) ?? 0)), 0) : 0;
  return { isNumber, top };
}

function rowOf<Row>(
  columns: readonly Column<Row>[],
  row: Row,
  shapes: readonly Shape[],
): HTMLTableRowElement {
  const cells = columns.map((column, index) => {
    const { isNumber, top } = shapes[index] ?? { isNumber: false, top: 0 };
    const value = column.value(row);
    const text = textOf(column, row);
    const content = column.cell?.(row) ?? (isNumber || value === null ? text : nameOf(text));
    const cell = h(
      index === 0 ? 'th' : 'td',
      { scope: index === 0 ? 'row' : null, class: isNumber ? 'number' : null },
      content,
    );
    if (top > 0 && typeof value === 'number')
      withProperty(cell, '--share', `${(100 * value) / top}%`).classList.add('bar');
    return cell;
  });
  return h('tr', {}, ...cells);
}

function matches<Row>(columns: readonly Column<Row>[], row: Row, words: readonly string[]): boolean {
  const text = columns
    .map((column) => textOf(column, row))
    .join(' ')
    .toLowerCase();
  return words.every((word) => text.includes(word));
}

function sortRows<Row>(rows: readonly Row[], value: Column<Row>['value'], isDescending: boolean): Row[] {
  const sign = isDescending ? -1 : 1;
  return rows
    .map((row) => ({ row, of: value(row) }))
    .sort((one, other) => {
      if (one.of === null || other.of === null) return Number(one.of === null) - Number(other.of === null);
      if (typeof one.of === 'number' && typeof other.of === 'number') return sign * (one.of - other.of);
      return sign * String(one.of).localeCompare(String(other.of), 'en', { numeric: true });
    })
    .map(({ row }) => row);
}

/** Tab-separated values, as spreadsheets take them: a name may begin like a formula, and must not become one. */
function tsvOf<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cell = (text: string) => text.replace(/[\t\r\n]/g, ' ').replace(/^[=+@-](?=.)/, "'$&");
  const line = (cells: readonly string[]) => cells.map(cell).join('\t');
  const plain = (column: Column<Row>, row: Row) => {
    const value = column.value(row);
    return value === null ? '' : String(value);
  };
  return [
    line(columns.map(({ title }) => title)),
    ...rows.map((row) => line(columns.map((column) => plain(column, row)))),
  ].join('\n');
}
