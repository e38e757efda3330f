/** Checks the filters of probes before they are written to the kernel, and shows the operator the place of a mistake. */
import { DONE, type Result, refusal, success } from '../shared/result.ts';
import type { EventFormat } from './decode/format.ts';

const TOKEN =
  /\s*(?:(&&|\|\||==|!=|<=|>=|<|>|&|~|!|\(|\))|("[^"]*"|'[^']*')|([A-Za-z_]\w*)|(-?0x[\da-fA-F]+|-?\d+))/y;
const COMPARISONS = new Set(['==', '!=', '<', '<=', '>', '>=', '&', '~']);
/** Fields that every event has beside its own (kernel/trace/trace_events.c, `trace_define_generic_fields`). */
const GENERIC_FIELDS = new Set(['cpu', 'CPU', 'comm', 'COMM']);
/** `MAX_FILTER_STR_VAL` and the page that one write may fill (kernel/trace/trace_events_filter.c). */
const MAX_LENGTH = 4095;

type Token = { readonly kind: 'operator' | 'text' | 'name' | 'number'; readonly value: string };

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

/**
 * Whether the kernel accepts a filter for an event. The grammar is the kernel's (Documentation/trace/events.rst, "Event
 * filtering"): `field op value`, joined by `&&`, `||`, `!` and parentheses.
 */
export function checkFilter(filter: string, format: EventFormat): Result {
  if (filter.length > MAX_LENGTH) return refusal(`longer than the kernel's ${MAX_LENGTH} bytes`);
  const tokenized = tokenize(filter);
  if (!tokenized.ok) return tokenized;
  const tokens = tokenized.value;
  let next = 0;

  const isNext = (value: string) => tokens[next]?.kind === 'operator' && tokens[next]?.value === value;
  const shown = () => (next < tokens.length ? `"${tokens[next]?.value}"` : 'the end');

  function comparison(): Result {
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
    if (operator?.kind !== 'operator' || !COMPARISONS.has(operator.value)) {
      return refusal(`expected a comparison after "${field.value}", found ${shown()}`);
    }
    next++;
    if (tokens[next]?.kind !== 'number' && tokens[next]?.kind !== 'text') {
      return refusal(`expected a value after "${field.value} ${operator.value}", found ${shown()}`);
    }
    next++;
    return DONE;
  }

  function operand(): Result {
    while (isNext('!')) next++;
    if (!isNext('(')) return comparison();
    next++;
    const inner = expression();
    if (!inner.ok) return inner;
    if (!isNext(')')) return refusal(`expected ")", found ${shown()}`);
    next++;
    return DONE;
  }

  function expression(): Result {
    let checked = operand();
    while (checked.ok && (isNext('&&') || isNext('||'))) {
      next++;
      checked = operand();
    }
    return checked;
  }

  const checked = expression();
  if (!checked.ok) return checked;
  return next === tokens.length ? DONE : refusal(`expected "&&" or "||", found ${shown()}`);
}
