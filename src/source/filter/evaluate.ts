/**
 * Decides in user space what a filter of the kernel would decide, for kernels where a filter is not ours alone
 * (src/source/ftrace/shared-filters.ts). Same language, same result: kernel/trace/trace_events_filter.c.
 */
import { type Result, refusal, success } from '../../shared/result.ts';
import type { EventFormat, FieldFormat } from '../decode/format.ts';
import { type Comparison, type FilterExpression, parseFilter } from './parse.ts';

/** Whether a record passes. Its fields begin at `at`, and `cpu` made it; the reader has checked its length. */
export type RecordFilter = (bytes: Buffer, at: number, cpu: number) => boolean;

type ReadValue<Value> = (bytes: Buffer, at: number, cpu: number) => Value;

/** What `kstrtoull` takes with base 0 (lib/kstrtox.c): a leading 0 makes the number octal. Null if it takes nothing. */
function parseNumber(text: string): bigint | null {
  const [, sign = '', digits = ''] = /^(-?)(.+)$/.exec(text) ?? [];
  const octal = /^0[0-7]+$/.test(digits);
  if (!octal && /^0\d+$/.test(digits)) return null;
  const value = BigInt(octal ? `0o${digits.slice(1)}` : digits);
  return sign === '-' ? -value : value;
}

/** The number as the kernel compares it: cut to the size of the field. A refusal if the kernel takes no such number. */
function numberFor({ field, value }: Comparison, { size, signed }: FieldFormat): Result<bigint> {
  const number = parseNumber(value);
  const bits = size * 8;
  const [least, most] = signed ? [-(2n ** 63n), 2n ** 63n - 1n] : [0n, 2n ** 64n - 1n];
  if (number === null || number < least || number > most) {
    return refusal(`"${field}" cannot be compared with ${value}`);
  }
  return success(signed ? BigInt.asIntN(bits, number) : BigInt.asUintN(bits, number));
}

/** The comparison of two values of one type, by `filter_pred_<OP>_<type>`. */
function compare<Value extends number | bigint>(
  comparator: Comparison['comparator'],
  read: ReadValue<Value>,
  value: Value,
): RecordFilter {
  switch (comparator) {
    case '==':
      return (bytes, at, cpu) => read(bytes, at, cpu) === value;
    case '!=':
      return (bytes, at, cpu) => read(bytes, at, cpu) !== value;
    case '<':
      return (bytes, at, cpu) => read(bytes, at, cpu) < value;
    case '<=':
      return (bytes, at, cpu) => read(bytes, at, cpu) <= value;
    case '>':
      return (bytes, at, cpu) => read(bytes, at, cpu) > value;
    case '>=':
      return (bytes, at, cpu) => read(bytes, at, cpu) >= value;
    default:
      // `&`. A number knows 32 bits here, which are all that a field of a number has.
      return typeof value === 'bigint'
        ? (bytes, at, cpu) => (BigInt(read(bytes, at, cpu)) & value) !== 0n
        : (bytes, at, cpu) => (Number(read(bytes, at, cpu)) & value) !== 0;
  }
}

/** Reads a field of up to 4 bytes; null for any other size. */
function readerOf({ offset, size, signed }: FieldFormat): ReadValue<number> | null {
  if (size !== 1 && size !== 2 && size !== 4) return null;
  return signed
    ? (bytes, at) => bytes.readIntLE(at + offset, size)
    : (bytes, at) => bytes.readUIntLE(at + offset, size);
}

const CPU_FIELD: FieldFormat = { offset: 0, size: 4, signed: true };

function compileComparison(comparison: Comparison, format: EventFormat): Result<RecordFilter> {
  const { field: name, comparator, isText } = comparison;
  const isCpu = /^cpu$/i.test(name);
  const field = isCpu ? CPU_FIELD : format.fields.get(name);
  if (field === undefined) return refusal(`a record has no "${name}": use exclude.comms`);
  if (isText || comparator === '~') return refusal(`"${name}" is a number, and has no text to compare`);
  const number = numberFor(comparison, field);
  if (!number.ok) return number;
  if (isCpu) return success(compare(comparator, (_bytes, _at, cpu) => cpu, Number(number.value)));
  const read = readerOf(field);
  if (read !== null) return success(compare(comparator, read, Number(number.value)));
  // The two fields of this size, the address of the socket and its bytes, are rarely compared: a BigInt may be made.
  if (field.size !== 8) return refusal(`"${name}" has ${field.size} bytes, which no filter can compare`);
  const readLong: ReadValue<bigint> = field.signed
    ? (bytes, at) => bytes.readBigInt64LE(at + field.offset)
    : (bytes, at) => bytes.readBigUInt64LE(at + field.offset);
  return success(compare(comparator, readLong, number.value));
}

function compileExpression(expression: FilterExpression, format: EventFormat): Result<RecordFilter> {
  if (expression.kind === 'comparison') return compileComparison(expression, format);
  if (expression.kind === 'not') {
    const negated = compileExpression(expression.operand, format);
    if (!negated.ok) return negated;
    const passes = negated.value;
    return success((bytes, at, cpu) => !passes(bytes, at, cpu));
  }
  const [left, right] = [
    compileExpression(expression.left, format),
    compileExpression(expression.right, format),
  ] as const;
  if (!left.ok) return left;
  if (!right.ok) return right;
  const [first, second] = [left.value, right.value];
  return success(
    expression.kind === 'and'
      ? (bytes, at, cpu) => first(bytes, at, cpu) && second(bytes, at, cpu)
      : (bytes, at, cpu) => first(bytes, at, cpu) || second(bytes, at, cpu),
  );
}

/** Makes the decision of a filter for records of this format. A refusal names what the kernel or this cannot decide. */
export function compileFilter(filter: string, format: EventFormat): Result<RecordFilter> {
  const parsed = parseFilter(filter, format);
  return parsed.ok ? compileExpression(parsed.value, format) : parsed;
}
