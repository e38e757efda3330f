/**
 * Parses the filter of a probe, in the kernel's own filter language, and shows the operator the place of a mistake.
 * The grammar is the kernel's (Documentation/trace/events.rst, "Event filtering"): `field op value`, joined by `&&`,
 * `||`, `!` and parentheses; `&&` binds more tightly than `||`.
 */
import { type Result, refusal, success } from '../../shared/result.ts';
import type { EventFormat } from '../decode/format.ts';

export type Comparator = '==' | '!=' | '<' | '<=' | '>' | '>=' | '&' | '~';

export interface Comparison {
  readonly kind: 'comparison';
  readonly field: string;
  readonly comparator: Comparator;
  /** As it was written; a text without its quotes. */
  readonly value: string;
  readonly isText: boolean;
}

export type FilterExpression =
  | Comparison
  | { readonly kind: 'not'; readonly operand: FilterExpression }
  | { readonly kind: 'and' | 'or'; readonly left: FilterExpression; readonly right: FilterExpression };

const TOKEN =
  /\s*(?:(&&|\|\||==|!=|<=|>=|<|>|&|~|!|\(|\))|("[^"]*"|'[^']*')|([A-Za-z_]\w*)|(-?0x[\da-fA-F]+|-?\d+))/y;
const COMPARATORS: ReadonlySet<string> = new Set<Comparator>(['==', '!=', '<', '<=', '>', '>=', '&', '~']);
/** Fields that every event has beside its own (kernel/trace/trace_events.c, `trace_define_generic_fields`). */
const GENERIC_FIELDS = new Set(['cpu', 'CPU', 'comm', 'COMM']);
/** `MAX_FILTER_STR_VAL` and the page that one write may fill (kernel/trace/trace_events_filter.c). */
const MAX_LENGTH = 4095;

type Token = { readonly kind: 'operator' | 'text' | 'name' | 'number'; readonly value: string };

function isComparator(value: string): value is Comparator {
  return COMPARATORS.has(value);
}

function tokenize(filter: string): Result<readonly Token[]> {
  const tokens: Token[] = [];
  let position = 0;
  while (position < filter.trimEnd().length) {
    TOKEN.lastIndex = position;
    const match = TOKEN.exec(filter);
    if (match === null) {
      const at = filter.length - filter.slice(position).trimStart().length;
      return refusal(`unexpected "${filter.charAt(at)}" at character ${at + 1}`);
    }
    const [, operator, text, name, number] = match;
    if (operator !== undefined) tokens.push({ kind: 'operator', value: operator });
    else if (text !== undefined) tokens.push({ kind: 'text', value: text });
    else if (name !== undefined) tokens.push({ kind: 'name', value: name });
    else tokens.push({ kind: 'number', value: number ?? '' });
    position = TOKEN.lastIndex;
  }
  return success(tokens);
}

/** Parses a filter for an event. A refusal says in one line what the kernel would not accept. */
export function parseFilter(filter: string, format: EventFormat): Result<FilterExpression> {
  if (filter.length > MAX_LENGTH) return refusal(`longer than the kernel's ${MAX_LENGTH} bytes`);
  const tokenized = tokenize(filter);
  if (!tokenized.ok) return tokenized;
  const tokens = tokenized.value;
  let next = 0;

  const isNext = (value: string) => tokens[next]?.kind === 'operator' && tokens[next]?.value === value;
  const shown = () => (next < tokens.length ? `"${tokens[next]?.value}"` : 'the end');

  function comparison(): Result<FilterExpression> {
    const field = tokens[next];
    if (field?.kind !== 'name') return refusal(`expected a field name, found ${shown()}`);
    if (!format.fields.has(field.value) && !GENERIC_FIELDS.has(field.value)) {
      const own = [...format.fields.keys()].filter(
        (name) => !name.startsWith('common_') || name === 'common_pid',
      );
      const known = [...own, 'cpu', 'comm'];
      return refusal(`${format.name} has no field "${field.value}" (it has ${known.join(', ')})`);
    }
    next++;
    const operator = tokens[next];
    if (operator?.kind !== 'operator' || !isComparator(operator.value)) {
      return refusal(`expected a comparison after "${field.value}", found ${shown()}`);
    }
    next++;
    const value = tokens[next];
    if (value?.kind !== 'number' && value?.kind !== 'text') {
      return refusal(`expected a value after "${field.value} ${operator.value}", found ${shown()}`);
    }
    next++;
    const isText = value.kind === 'text';
    return success({
      kind: 'comparison',
      field: field.value,
      comparator: operator.value,
      value: isText ? value.value.slice(1, -1) : value.value,
      isText,
    });
  }

  function operand(): Result<FilterExpression> {
    if (isNext('!')) {
      next++;
      const negated = operand();
      return negated.ok ? success({ kind: 'not', operand: negated.value }) : negated;
    }
    if (!isNext('(')) return comparison();
    next++;
    const inner = chain('||');
    if (!inner.ok) return inner;
    if (!isNext(')')) return refusal(`expected ")", found ${shown()}`);
    next++;
    return inner;
  }

  /** Operands joined by `||`, each of which is a chain by `&&`; or a chain by `&&` alone. */
  function chain(operator: '||' | '&&'): Result<FilterExpression> {
    const read = operator === '||' ? () => chain('&&') : operand;
    let joined = read();
    while (joined.ok && isNext(operator)) {
      next++;
      const right = read();
      if (!right.ok) return right;
      joined = success({ kind: operator === '||' ? 'or' : 'and', left: joined.value, right: right.value });
    }
    return joined;
  }

  const parsed = chain('||');
  if (!parsed.ok) return parsed;
  return next === tokens.length ? parsed : refusal(`expected "&&" or "||", found ${shown()}`);
}
