/** What a user wants a tool to show, checked. */
import { type Result, refusal, success } from '../shared/result.ts';
import type { OptionName } from './option.ts';
import type { Tool } from './tool.ts';

export const SOURCE_KINDS = ['auto', 'module', 'tracepoints'] as const;
export type SourceKind = (typeof SOURCE_KINDS)[number];

export interface Choice {
  readonly pid: number | null;
  readonly uid: number | null;
  readonly unit: string | null;
  /** Null takes every port. */
  readonly localPorts: ReadonlySet<number> | null;
  readonly remotePorts: ReadonlySet<number> | null;
  readonly version: 4 | 6 | null;
  readonly minUs: number;
  readonly lossProbes: boolean;
  readonly time: boolean;
  readonly timestamp: boolean;
  readonly printUid: boolean;
  readonly sequence: boolean;
  readonly wide: boolean;
  readonly count: boolean;
  readonly format: 'table' | 'csv' | 'json';
  /** Infinity shows events until a signal comes. */
  readonly seconds: number;
  /** The file of a recording; null for this kernel. */
  readonly from: string | null;
  readonly source: SourceKind;
  readonly verbose: boolean;
}

export type OptionValues = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

const MAX_PID = 4_194_304;
const MAX_UID = 4_294_967_295;
const MAX_PORT = 65_535;
/** The longest time of setTimeout, 2^31 - 1 ms. */
const MAX_SECONDS = 2_147_483;

/** Reads options one by one, and remembers the first mistake. */
interface OptionReader {
  flag(name: OptionName): boolean;
  /** Null where the option is not given. */
  text(name: OptionName): string | null;
  wholeNumber(name: OptionName, largest: number): number | null;
  decimal(name: OptionName, text: string): number;
  ports(name: OptionName): ReadonlySet<number> | null;
  refuse(problem: string): void;
  /** Null while everything was right. */
  readonly problem: string | null;
}

function createOptionReader(values: OptionValues): OptionReader {
  let first: string | null = null;

  function refuse(problem: string): void {
    first ??= problem;
  }

  function text(name: OptionName): string | null {
    const value = values[name];
    return typeof value === 'string' ? value : null;
  }

  function bounded(name: OptionName, digits: string, smallest: number, largest: number): number {
    const value = /^\d+$/.test(digits) ? Number(digits) : Number.NaN;
    if (!(value >= smallest && value <= largest))
      refuse(`--${name} ${digits}: goes from ${smallest} to ${largest}`);
    return value;
  }

  return {
    flag: (name) => values[name] === true,
    text,
    wholeNumber(name, largest) {
      const value = text(name);
      return value === null ? null : bounded(name, value, 0, largest);
    },
    decimal(name, value) {
      if (!/^\d+(\.\d+)?$|^\.\d+$/.test(value)) refuse(`--${name} ${value}: is not a number`);
      return Number(value);
    },
    ports(name) {
      const value = text(name);
      return value === null
        ? null
        : new Set(value.split(',').map((port) => bounded(name, port, 1, MAX_PORT)));
    },
    refuse,
    get problem() {
      return first;
    },
  };
}

const EXCLUSIVE: readonly (readonly [OptionName, OptionName])[] = [
  ['ipv4', 'ipv6'],
  ['csv', 'json'],
  ['count', 'json'],
  ['from', 'source'],
];

/**
 * Checks the options of a tool. `positionals` are the other words: tcpconnlat takes the least number of milliseconds
 * there.
 */
export function readChoice(tool: Tool, values: OptionValues, positionals: readonly string[]): Result<Choice> {
  const read = createOptionReader(values);
  for (const names of EXCLUSIVE) {
    if (names.every((name) => values[name] !== undefined))
      read.refuse(`${names.map((name) => `--${name}`).join(' and ')} exclude each other`);
  }
  const minMs = readMinMs(tool, read, positionals);
  const seconds = readSeconds(read);
  const source = readSource(read);
  const { flag, text, wholeNumber, ports } = read;
  const choice: Choice = {
    pid: wholeNumber('pid', MAX_PID),
    uid: wholeNumber('uid', MAX_UID),
    unit: text('unit'),
    localPorts: ports('local-port'),
    remotePorts: ports('remote-port'),
    version: flag('ipv4') ? 4 : flag('ipv6') ? 6 : null,
    minUs: read.decimal('min-ms', minMs) * 1000,
    lossProbes: flag('loss-probes'),
    time: flag('time'),
    timestamp: flag('timestamp'),
    printUid: flag('print-uid'),
    sequence: flag('sequence'),
    wide: flag('wide'),
    count: flag('count'),
    format: flag('json') ? 'json' : flag('csv') ? 'csv' : 'table',
    seconds,
    from: text('from'),
    source,
    verbose: flag('verbose'),
  };
  return read.problem === null ? success(choice) : refusal(read.problem);
}

function readMinMs(tool: Tool, read: OptionReader, [minimum, ...more]: readonly string[]): string {
  if (more.length > 0 || (minimum !== undefined && tool.name !== 'tcpconnlat'))
    read.refuse(`takes no "${more[0] ?? minimum}"`);
  const option = read.text('min-ms');
  if (minimum !== undefined && option !== null) read.refuse('MIN_MS is given twice');
  return option ?? minimum ?? '0';
}

function readSeconds(read: OptionReader): number {
  const duration = read.text('duration');
  if (duration === null) return Number.POSITIVE_INFINITY;
  const seconds = read.decimal('duration', duration);
  if (seconds === 0 || seconds > MAX_SECONDS)
    read.refuse(`--duration ${duration}: goes up to ${MAX_SECONDS} seconds`);
  return seconds;
}

function readSource(read: OptionReader): SourceKind {
  const kind = read.text('source') ?? 'auto';
  const source = SOURCE_KINDS.find((each) => each === kind);
  if (source !== undefined) return source;
  read.refuse(`--source ${kind}: is one of ${SOURCE_KINDS.join(', ')}`);
  return 'auto';
}
