/** A strict reader of Prometheus' text format 0.0.4, independent of what writes it. Throws at the first fault. */

export interface Family {
  readonly type: string;
  readonly help: string;
  /** Sample name and sorted labels, as `name{a="1",b="2"}`. */
  readonly samples: Map<string, number>;
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`);
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;

export function readPrometheusText(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line has no newline');
  const families = new Map<string, Family>();
  const helps = new Map<string, string>();
  let current: { name: string; family: Family } | null = null;

  for (const line of text.slice(0, -1).split('\n')) {
    const comment = new RegExp(`^# (HELP|TYPE|UNIT) (${NAME}) (.+)$`).exec(line);
    if (comment !== null) {
      const [, keyword = '', name = '', rest = ''] = comment;
      if (keyword === 'HELP') helps.set(name, rest);
      if (keyword === 'TYPE') {
        if (families.has(name)) throw new Error(`${name} is there twice`);
        const help = helps.get(name);
        if (help === undefined) throw new Error(`${name} has no HELP before its TYPE`);
        current = { name, family: { type: rest, help, samples: new Map() } };
        families.set(name, current.family);
      }
      continue;
    }
    const [, name = '', labels = '', value = ''] = SAMPLE.exec(line) ?? [];
    if (name === '') throw new Error(`not a sample: ${line}`);
    const known = current;
    if (known === null || !belongs(name, known.name, known.family.type))
      throw new Error(`sample outside of its family: ${line}`);
    if (!Number.isFinite(Number(value))) throw new Error(`not a number: ${line}`);
    const key = `${name}${sorted(labels)}`;
    if (known.family.samples.has(key)) throw new Error(`sample twice: ${key}`);
    known.family.samples.set(key, Number(value));
  }
  return families;
}

function belongs(sample: string, family: string, type: string): boolean {
  if (type === 'counter') return sample === family && family.endsWith('_total');
  if (type === 'gauge') return sample === family && !family.endsWith('_total');
  return type === 'histogram' && ['_bucket', '_sum', '_count'].some((suffix) => sample === family + suffix);
}

function sorted(labels: string): string {
  if (labels === '') return '';
  const found: string[] = [];
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < labels.length) {
    const match = LABEL.exec(labels);
    if (match === null) throw new Error(`malformed labels: ${labels}`);
    found.push(`${match[1]}="${match[2]}"`);
  }
  return `{${found.sort().join(',')}}`;
}
