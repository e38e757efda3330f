/** The facts that --help and the man page of a tool are made from. */
import { COLUMNS, type ColumnName } from './column.ts';
import { type OptionRow, optionsOf } from './option.ts';
import type { Example, Tool } from './tool.ts';

export interface Page {
  /** The words after `ktc `. */
  readonly name: string;
  /** The words after the name. */
  readonly synopsis: string;
  /** For the section NAME of the man page. */
  readonly purpose: string;
  readonly description: string;
  readonly options: readonly OptionRow[];
  readonly fields: readonly Field[];
  /** How a value is shown that the source cannot know; empty where every value is known. */
  readonly unknown: string;
  readonly examples: readonly Example[];
  readonly overhead: readonly string[];
}

export interface Field {
  readonly title: string;
  readonly meaning: string;
}

/** All columns that a tool may show, first the ones that it always shows; with the option that shows the others. */
function columnsOf({ name, columns, ipBefore }: Tool): readonly (readonly [ColumnName, string])[] {
  const always = columns.filter((column) => column !== 'arrow').map((column) => [column, ''] as const);
  const offered = new Set(optionsOf(name).map((option) => option.name));
  const extras: [ColumnName, string, boolean][] = [
    ['time', 'With -T.', offered.has('time')],
    ['seconds', 'With -t.', true],
    ['uid', 'With -U.', offered.has('print-uid')],
    ['ip', 'With -w and in CSV.', ipBefore !== null],
    ['sequence', 'With -s.', offered.has('sequence')],
  ];
  const more = extras.filter(([, , isShown]) => isShown).map(([column, when]) => [column, when] as const);
  return [...always, ...more];
}

function fieldsOf(tool: Tool): Field[] {
  const fields = columnsOf(tool).map(([name, when]): Field => {
    const { title, meaning, onlyModule } = COLUMNS[name];
    const parts = [meaning, onlyModule === true ? 'Needs tcp_trace.ko.' : '', when];
    return { title, meaning: parts.filter((part) => part !== '').join(' ') };
  });
  if (tool.count !== undefined) {
    const meaning = 'Number of events in each group, shown instead of the fields above. With -c.';
    fields.push({ title: tool.count.title, meaning });
  }
  return fields;
}

export function pageOf(tool: Tool): Page {
  const { name, purpose, description, examples, overhead } = tool;
  return {
    name,
    synopsis: name === 'tcpconnlat' ? '[options] [MIN_MS]' : '[options]',
    purpose,
    description,
    options: optionsOf(name),
    fields: fieldsOf(tool),
    unknown: 'A value that the source cannot know is shown as - in the table and as an empty cell in CSV.',
    examples,
    overhead: [overhead, 'The tool sleeps while there is nothing to show.'],
  };
}
