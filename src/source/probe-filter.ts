/** Checks in-kernel filters before they are written, so that an operator reads where one is wrong. */
import type { EventFormat } from './decode/format.ts';

const TOKEN =
  /\s*(?:(&&|\|\||==|!=|<=|>=|<|>|&|~|!|\(|\))|("[^"]*"|'[^']*')|([A-Za-z_]\w*)|(-?0x[\da-fA-F]+|-?\d+))/y;
const COMPARISONS = new Set(['==', '!=', '<', '<=', '>', '>=', '&', '~']);
/** Fields that every event has besides its own (kernel/trace/trace_events.c, `trace_define_generic_fields`). */
const GENERIC_FIELDS = new Set(['cpu', 'CPU', 'comm', 'COMM']);
/** `MAX_FILTER_STR_VAL` and the page that one write may fill (kernel/trace/trace_events_filter.c). */
const MAX_LENGTH = 4095;

type Token = { readonly kind: 'operator' | 'text' | 'name' | 'number'; readonly value: string };

function tokenize(filter: string): Token[] | string {
  const tokens: Token[] = [];
  let position = 0;
  while (position < filter.trimEnd().length) {
    TOKEN.lastIndex = position;
    const match = TOKEN.exec(filter);
    if (match === null) {
      const at = filter.length - filter.slice(position).trimStart().length;
      return `unexpected "${filter.charAt(at)}" at character ${at + 1}`;
    }
    const [, operator, text, name, number] = match;
    if (operator !== undefined) tokens.push({ kind: 'operator', value: operator });
    else if (text !== undefined) tokens.push({ kind: 'text', value: text });
    else if (name !== undefined) tokens.push({ kind: 'name', value: name });
    else tokens.push({ kind: 'number', value: number ?? '' });
    position = TOKEN.lastIndex;
  }
  return tokens;
}

/**
 * Says what is wrong with a filter for an event, or null. The grammar is the kernel's
 * (Documentation/trace/events.rst, "Event filtering"): `field op value` joined by `&&`, `||`, `!` and parentheses.
 */
export function filterProblem(filter: string, format: EventFormat): string | null {
  if (filter.length > MAX_LENGTH) return `longer than the kernel's ${MAX_LENGTH} bytes`;
  const tokenized = tokenize(filter);
  if (typeof tokenized === 'string') return tokenized;
  const tokens: readonly Token[] = tokenized;
  let next = 0;

  const isNext = (value: string) => tokens[next]?.kind === 'operator' && tokens[next]?.value === value;
  const shown = () => (next < tokens.length ? `"${tokens[next]?.value}"` : 'the end');

  function comparison(): string | null {
    const field = tokens[next];
    if (field?.kind !== 'name') return `expected a field name, found ${shown()}`;
    if (!format.fields.has(field.value) && !GENERIC_FIELDS.has(field.value)) {
      const own = [...format.fields.keys()].filter(
        (name) => !name.startsWith('common_') || name === 'common_pid',
      );
      const known = [...own, 'cpu', 'comm'];
      return `${format.name} has no field "${field.value}" (it has ${known.join(', ')})`;
    }
    next++;
    const operator = tokens[next];
    if (operator?.kind !== 'operator' || !COMPARISONS.has(operator.value)) {
      return `expected a comparison after "${field.value}", found ${shown()}`;
    }
    next++;
    if (tokens[next]?.kind !== 'number' && tokens[next]?.kind !== 'text') {
      return `expected a value after "${field.value} ${operator.value}", found ${shown()}`;
    }
    next++;
    return null;
  }

  function operand(): string | null {
    while (isNext('!')) next++;
    if (!isNext('(')) return comparison();
    next++;
    const problem = expression();
    if (problem !== null) return problem;
    if (!isNext(')')) return `expected ")", found ${shown()}`;
    next++;
    return null;
  }

  function expression(): string | null {
    let problem = operand();
    while (problem === null && (isNext('&&') || isNext('||'))) {
      next++;
      problem = operand();
    }
    return problem;
  }

  const problem = expression();
  if (problem !== null) return problem;
  return next === tokens.length ? null : `expected "&&" or "||", found ${shown()}`;
}
