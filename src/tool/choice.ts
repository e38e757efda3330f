/** What a user asked of a tool, checked. */
import type { OptionName } from './option.ts';
import type { Tool } from './tool.ts';

export const SOURCE_KINDS = ['auto', 'module', 'tracepoints'] as const;
export type SourceKind = (typeof SOURCE_KINDS)[number];

export interface Choice {
  readonly pid: number | null;
  readonly uid: number | null;
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
  /** Infinity until a signal comes. */
  readonly seconds: number;
  /** A recording, or null for this kernel. */
  readonly from: string | null;
  readonly source: SourceKind;
  readonly verbose: boolean;
}

export type OptionValues = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

export type ChoiceResult =
  | { readonly ok: true; readonly choice: Choice }
  | { readonly ok: false; readonly problem: string };

/** A mistake of the user, in one line. */
class ChoiceProblem extends Error {}

function refuse(problem: string): never {
  throw new ChoiceProblem(problem);
}

function wholeNumber(name: string, text: string, largest: number, smallest = 0): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= smallest && value <= largest)) {
    refuse(`--${name} ${text}: goes from ${smallest} to ${largest}`);
  }
  return value;
}

function decimal(name: string, text: string): number {
  if (!/^\d+(\.\d+)?$|^\.\d+$/.test(text)) refuse(`--${name} ${text}: is not a number`);
  return Number(text);
}

const MAX_PID = 4_194_304;
const MAX_UID = 4_294_967_295;
/** setTimeout takes no more. */
const MAX_SECONDS = 2_147_483;

/** `positionals`: tcpconnlat takes the least number of milliseconds so. */
export function readChoice(tool: Tool, values: OptionValues, positionals: readonly string[]): ChoiceResult {
  try {
    return { ok: true, choice: checkChoice(tool, values, positionals) };
  } catch (error) {
    if (!(error instanceof ChoiceProblem)) throw error;
    return { ok: false, problem: error.message };
  }
}

function checkChoice(tool: Tool, values: OptionValues, positionals: readonly string[]): Choice {
  const text = (name: OptionName): string | null => {
    const value = values[name];
    return typeof value === 'string' ? value : null;
  };
  const flag = (name: OptionName): boolean => values[name] === true;
  const number = (name: OptionName, largest: number): number | null => {
    const value = text(name);
    return value === null ? null : wholeNumber(name, value, largest);
  };
  const ports = (name: OptionName): ReadonlySet<number> | null => {
    const value = text(name);
    return value === null
      ? null
      : new Set(value.split(',').map((each) => wholeNumber(name, each, 65_535, 1)));
  };
  const onlyOne = (...names: OptionName[]): void => {
    const given = names.filter((name) => values[name] !== undefined);
    if (given.length > 1) refuse(`${given.map((name) => `--${name}`).join(' and ')} exclude each other`);
  };
  onlyOne('ipv4', 'ipv6');
  onlyOne('csv', 'json');
  onlyOne('count', 'json');
  onlyOne('from', 'source');

  const [minimum, ...more] = positionals;
  if (more.length > 0 || (minimum !== undefined && tool.name !== 'tcpconnlat')) {
    refuse(`takes no "${more[0] ?? minimum}"`);
  }
  if (minimum !== undefined && values['min-ms'] !== undefined) refuse('MIN_MS is given twice');
  const minMs = text('min-ms') ?? minimum ?? '0';
  const duration = text('duration');
  const seconds = duration === null ? Number.POSITIVE_INFINITY : decimal('duration', duration);
  if (seconds === 0 || (seconds > MAX_SECONDS && duration !== null)) {
    refuse(`--duration ${duration}: goes up to ${MAX_SECONDS} seconds`);
  }
  const kind = text('source') ?? 'auto';
  const source = SOURCE_KINDS.find((each) => each === kind);
  if (source === undefined) return refuse(`--source ${kind}: is one of ${SOURCE_KINDS.join(', ')}`);

  return {
    pid: number('pid', MAX_PID),
    uid: number('uid', MAX_UID),
    localPorts: ports('local-port'),
    remotePorts: ports('remote-port'),
    version: flag('ipv4') ? 4 : flag('ipv6') ? 6 : null,
    minUs: decimal('min-ms', minMs) * 1000,
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
}
