/** One entry of the schema: a convict property, and what layers, reload and the reference need beside it. */
import { decodeJson, type Kind } from './kind.ts';

/** What is wrong with a value. */
export interface Fault {
  /** The place in the value: '' is the whole value, `[1]` an item of a list, `.rack` a label. */
  readonly at: string;
  readonly problem: string;
}

export interface Key<T> {
  readonly doc: string;
  readonly default: T;
  /** convict's own check of the final value. Throws at the first fault. */
  readonly format: (value: unknown) => void;
  /** Type and bounds in words; completes the sentence "must be …". */
  readonly expects: string;
  /** A change takes effect on SIGHUP, without a restart. */
  readonly reloadable: boolean;
  /** A later layer adds its names to the value instead of replacing it. */
  readonly merges: boolean;
  readonly faults: (value: unknown) => readonly Fault[];
  /** Reads an environment variable or a flag; text of another type comes back unchanged, and `faults` refuses it. */
  readonly decode: (text: string) => unknown;
}

/** What the schema says about one key. */
interface About<T> {
  readonly doc: string;
  readonly default: T;
  readonly reloadable?: true;
}

/** A key with a single value. */
export function key<T>(kind: Kind<T>, about: About<NoInfer<T>>): Key<T> {
  return complete<T>(about, {
    expects: kind.expects,
    merges: false,
    faults: (value) => faultsOf(kind, value, ''),
    decode: kind.decode,
  });
}

/** A list of any length, which a later layer replaces as a whole. In text: JSON, or items between commas. */
export function list<T>(kind: Kind<T>, about: About<readonly NoInfer<T>[]>): Key<readonly T[]> {
  const expects = `a list, each item ${kind.expects}`;
  return complete<readonly T[]>(about, {
    expects,
    merges: false,
    faults: (value) => {
      if (!Array.isArray(value)) return [{ at: '', problem: `must be ${expects}, is ${describe(value)}` }];
      return value.flatMap((item, index) => faultsOf(kind, item, `[${index}]`));
    },
    decode: (text) => {
      const decoded = decodeJson(text);
      return Array.isArray(decoded) ? decoded : text.split(',').map((item) => kind.decode(item.trim()));
    },
  });
}

/** Strings by name; a later layer adds its names. In text: a JSON object, or `name=value` between commas. */
export function stringMap(
  names: Kind<string>,
  values: Kind<string>,
  about: About<Readonly<Record<string, string>>>,
) {
  const expects = `an object of strings, each name ${names.expects}, each value ${values.expects}`;
  return complete<Readonly<Record<string, string>>>(about, {
    expects,
    merges: true,
    faults: (value) => {
      if (!isObject(value)) return [{ at: '', problem: `must be ${expects}, is ${describe(value)}` }];
      return Object.entries(value).flatMap(([name, item]) =>
        names.accepts(name)
          ? faultsOf(values, item, `.${name}`)
          : [{ at: '', problem: `each name must be ${names.expects}, one is ${describe(name)}` }],
      );
    },
    decode: (text) => {
      if (text.startsWith('{')) return decodeJson(text) ?? text;
      const pairs = text.split(',').map((pair) => pair.split(/=(.*)/s, 2).map((part) => part.trim()));
      return pairs.every((pair) => pair.length === 2) ? Object.fromEntries(pairs) : text;
    },
  });
}

function complete<T>(
  about: About<T>,
  rest: Pick<Key<T>, 'expects' | 'merges' | 'faults' | 'decode'>,
): Key<T> {
  return {
    doc: about.doc,
    default: about.default,
    reloadable: about.reloadable ?? false,
    format: (value) => {
      const [fault] = rest.faults(value);
      if (fault) throw new TypeError(`${fault.at} ${fault.problem}`);
    },
    ...rest,
  };
}

export const NOT_TEXT = 'is not Unicode text: a part of it is no character';

function faultsOf(kind: Kind<unknown>, value: unknown, at: string): readonly Fault[] {
  if (!isText(value)) return [{ at, problem: NOT_TEXT }];
  if (kind.accepts(value)) return [];
  const found = kind.concealed ? 'something else (not shown)' : describe(value);
  return [{ at, problem: `must be ${kind.expects}, is ${found}` }];
}

/** Half of a surrogate pair is no character, and no JSON in UTF-8 can have it. */
function isText(value: unknown): boolean {
  return typeof value !== 'string' || value.isWellFormed();
}

/** Whether a value is a JSON object: no list and not null. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value in at most 60 characters on one line, for a problem. */
export function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (isObject(value)) return 'an object';
  const shown = JSON.stringify(value) ?? String(value);
  return shown.length <= 60 ? shown : `${shown.slice(0, 57)}…`;
}
