/** The options of the tools, one row each: the parser, --help and the man page come from it. */
import type { ToolName } from './tool.ts';

export interface ToolOption {
  /** The name of its value in --help; null for an option without a value. */
  readonly value: string | null;
  readonly help: string;
  /** The tools that have it; absent for all of them. */
  readonly tools?: readonly ToolName[];
  /** The short option: the same for all tools, or by tool, as in bcc. */
  readonly letter?: string | Readonly<Partial<Record<ToolName, string>>>;
}

const MEASURED = ['tcpconnlat', 'tcplife', 'tcpstates'] as const;

export const OPTIONS = {
  pid: { value: 'PID', letter: 'p', help: 'only events of this process' },
  unit: { value: 'UNIT', help: 'only events of processes of this systemd unit' },
  uid: { value: 'UID', letter: 'u', tools: ['tcpconnect'], help: 'only events of processes of this user' },
  'local-port': {
    value: 'PORTS',
    letter: { tcpaccept: 'P', tcplife: 'L', tcpstates: 'L' },
    help: 'only these local ports, separated by commas',
  },
  'remote-port': {
    value: 'PORTS',
    letter: { tcpconnect: 'P', tcplife: 'D', tcpstates: 'D' },
    help: 'only these remote ports, separated by commas',
  },
  ipv4: { value: null, letter: '4', help: 'only IPv4, including IPv4 through IPv6 sockets' },
  ipv6: { value: null, letter: '6', help: 'only IPv6' },
  'min-ms': { value: 'MS', tools: MEASURED, help: 'only events that took at least MS milliseconds' },
  'loss-probes': {
    value: null,
    letter: 'l',
    tools: ['tcpretrans'],
    help: 'also show tail loss probes, as L> (tcp_trace.ko)',
  },
  time: {
    value: null,
    letter: 'T',
    tools: ['tcpaccept', 'tcpconnect', 'tcpconnlat', 'tcplife', 'tcpstates'],
    help: 'show the time, HH:MM:SS',
  },
  timestamp: { value: null, letter: 't', help: 'show the seconds since the first event' },
  'print-uid': { value: null, letter: 'U', tools: ['tcpconnect'], help: 'show the user of the process' },
  lport: {
    value: null,
    letter: 'L',
    tools: ['tcpconnect', 'tcpconnlat'],
    help: 'no effect: the local port is always shown',
  },
  sequence: {
    value: null,
    letter: 's',
    tools: ['tcpretrans'],
    help: 'show the sequence number (tcp_trace.ko)',
  },
  wide: {
    value: null,
    letter: 'w',
    help: 'wider columns for IPv6 addresses and long names, and the systemd unit',
  },
  count: {
    value: null,
    letter: 'c',
    tools: ['tcpconnect', 'tcpretrans'],
    help: 'count events, and show only the counts at the end',
  },
  csv: {
    value: null,
    letter: { tcplife: 's', tcpstates: 's' },
    help: 'comma-separated values, with a header',
  },
  json: { value: null, help: 'the published events, one JSON object per line' },
  duration: { value: 'S', help: 'end after S seconds; without it, end at Ctrl-C' },
  from: { value: 'FILE', help: 'replay a recording of ktc record, without root' },
  source: {
    value: 'KIND',
    help: 'auto (default), module or tracepoints',
  },
  verbose: { value: null, letter: 'v', help: 'show the source and the filters that the kernel applies' },
  help: { value: null, letter: 'h', help: 'show this help' },
} as const satisfies Record<string, ToolOption>;

export type OptionName = keyof typeof OPTIONS;
const ROWS: readonly (readonly [OptionName, ToolOption])[] = Object.entries(OPTIONS) as [
  OptionName,
  ToolOption,
][];

/** An option as one command has it. */
export interface OptionRow<Name extends string = string> {
  readonly name: Name;
  readonly letter: string | null;
  /** The name of its value in --help; null for an option without a value. */
  readonly value: string | null;
  readonly help: string;
}

export function optionsOf(tool: ToolName): OptionRow<OptionName>[] {
  return ROWS.filter(([, { tools }]) => tools?.includes(tool) !== false).map(
    ([name, { letter, value, help }]) => ({
      name,
      letter: (typeof letter === 'object' ? letter[tool] : letter) ?? null,
      value,
      help,
    }),
  );
}

/** For `parseArgs` of node:util. */
export function parserOptions(
  options: readonly OptionRow[],
): Record<string, { type: 'string' | 'boolean'; short?: string }> {
  return Object.fromEntries(
    options.map(({ name, letter, value }) => [
      name,
      { type: value === null ? 'boolean' : 'string', ...(letter !== null && { short: letter }) },
    ]),
  );
}
