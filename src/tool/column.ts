/** Every column that a tool can show, one row each: the table, CSV and the man page come from it. */
import { type EventDraft, UNKNOWN } from '../event/draft.ts';
import { TCP_STATES } from '../event/kinds.ts';
import type { Task } from '../source/host/tasks.ts';

/** What a cell needs besides the event. */
export interface CellContext {
  /** Wall time of a trace time, ms since 1970. */
  toWallMs(time: number): number;
  /** Trace time of the first event that is shown, ns. */
  readonly firstTime: number;
  /** The user of a process; null where the process has ended or belongs to a recording. */
  uidOf(task: Task): number | null;
}

export interface Column {
  readonly title: string;
  /** In characters; a longer cell moves the next one to the right. */
  readonly width: number;
  /** The width with --wide, which has room for whole IPv6 addresses and names. */
  readonly wide?: number;
  /** Aligned at the right, for numbers that are compared by size. */
  readonly right?: true;
  /** A sentence for the man page. */
  readonly meaning: string;
  /** Null where the value is not known. */
  readonly cell: (draft: EventDraft, context: CellContext) => string | number | null;
  /** Only tcp_trace.ko has this value. */
  readonly onlyModule?: true;
}

const known = (value: number): number | null => (value === UNKNOWN ? null : value);
const milliseconds = (us: number, digits: number): string | null =>
  us === UNKNOWN ? null : (us / 1000).toFixed(digits);
const kibibytes = (bytes: number): number | null => (bytes === UNKNOWN ? null : Math.floor(bytes / 1024));
const stateName = (state: number): string | null => TCP_STATES[state] ?? null;
const twoDigits = (value: number): string => String(value).padStart(2, '0');

/** HH:MM:SS in local time, because people compare it with their clock. */
function clockTime(wallMs: number): string {
  const time = new Date(wallMs);
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map(twoDigits).join(':');
}

type Side = 'local' | 'remote';

function portOf({ connection: { flow } }: EventDraft, side: Side): number | null {
  return (side === 'local' ? flow?.localPort : flow?.remotePort) ?? null;
}

function addressOf({ connection: { flow } }: EventDraft, side: Side): string | null {
  return (side === 'local' ? flow?.localAddress : flow?.remoteAddress) ?? null;
}

function endOf(draft: EventDraft, side: Side): string {
  const address = addressOf(draft, side);
  const host = address === null ? '-' : address.includes(':') ? `[${address}]` : address;
  return `${host}:${portOf(draft, side) ?? '-'}`;
}

const NAMES = { local: 'this host', remote: 'the peer' } as const;

function address(title: string, side: Side): Column {
  const meaning = `Address of ${NAMES[side]}.`;
  return { title, width: 15, wide: 39, meaning, cell: (draft) => addressOf(draft, side) };
}

function port(title: string, side: Side): Column {
  return { title, width: 5, meaning: `Port of ${NAMES[side]}.`, cell: (draft) => portOf(draft, side) };
}

const DEFINED = {
  time: {
    title: 'TIME',
    width: 8,
    meaning: 'Time at which the kernel recorded the event, HH:MM:SS in local time.',
    cell: ({ time }, { toWallMs }) => clockTime(toWallMs(time)),
  },
  seconds: {
    title: 'TIME(s)',
    width: 9,
    meaning: 'Seconds since the first event shown, by the clock of the kernel.',
    cell: ({ time }, { firstTime }) => ((time - firstTime) / 1e9).toFixed(3),
  },
  uid: {
    title: 'UID',
    width: 5,
    meaning: 'User of the process; unknown if the process ended before the tool could look it up.',
    cell: ({ task, isOwner }, { uidOf }) => (isOwner ? uidOf(task) : null),
  },
  pid: {
    title: 'PID',
    width: 5,
    meaning: 'Process that owns the connection.',
    cell: ({ task, isOwner }) => (isOwner ? task.pid : null),
  },
  comm: {
    title: 'COMM',
    width: 10,
    wide: 15,
    meaning: 'Name of that process.',
    cell: ({ task, isOwner }) => (isOwner ? task.comm : null),
  },
  unit: {
    title: 'UNIT',
    width: 30,
    meaning: 'systemd unit of that process.',
    cell: ({ task, isOwner }) => (isOwner ? task.unit : null),
  },
  currentPid: {
    title: 'C-PID',
    width: 5,
    meaning:
      'Process that owns the connection. If the owner is not known, the process that was on the CPU, which may have nothing to do with the connection.',
    cell: ({ task }) => task.pid,
  },
  currentComm: {
    title: 'C-COMM',
    width: 10,
    wide: 15,
    meaning: 'Name of that process.',
    cell: ({ task }) => task.comm,
  },
  currentUnit: {
    title: 'C-UNIT',
    width: 30,
    meaning: 'systemd unit of that process.',
    cell: ({ task }) => task.unit,
  },
  ip: {
    title: 'IP',
    width: 2,
    meaning: '4 or 6; 4 for IPv4 through an IPv6 socket.',
    cell: ({ connection: { flow } }) => flow?.version ?? null,
  },
  laddr: address('LADDR', 'local'),
  lport: port('LPORT', 'local'),
  raddr: address('RADDR', 'remote'),
  rport: port('RPORT', 'remote'),
  saddr: address('SADDR', 'local'),
  sport: port('SPORT', 'local'),
  daddr: address('DADDR', 'remote'),
  dport: port('DPORT', 'remote'),
  localEnd: {
    title: 'LADDR:LPORT',
    width: 21,
    wide: 47,
    meaning: 'Address and port of this host; two columns in CSV.',
    cell: (draft) => endOf(draft, 'local'),
  },
  remoteEnd: {
    title: 'RADDR:RPORT',
    width: 21,
    wide: 47,
    meaning: 'Address and port of the peer; two columns in CSV.',
    cell: (draft) => endOf(draft, 'remote'),
  },
  transmission: {
    title: 'T>',
    width: 2,
    meaning: 'R> is a retransmitted segment, L> a tail loss probe.',
    cell: ({ retransmitKind }) => (retransmitKind === 'tlp' ? 'L>' : 'R>'),
  },
  state: {
    title: 'STATE',
    width: 12,
    meaning: 'State of the connection at that moment; SYN_RECV stands for a retransmitted SYN-ACK.',
    cell: ({ state }) => stateName(state),
  },
  sequence: {
    title: 'SEQ',
    width: 10,
    meaning: 'First sequence number of the segment.',
    cell: ({ sequence }) => known(sequence),
    onlyModule: true,
  },
  socket: {
    title: 'SKADDR',
    width: 16,
    meaning:
      'In place of the address of the socket in the kernel: connection_id of the events, the same on all lines of one connection.',
    cell: ({ connection }) => connection.id,
  },
  oldState: {
    title: 'OLDSTATE',
    width: 11,
    meaning: 'State that the connection leaves.',
    cell: ({ oldState }) => stateName(oldState),
  },
  arrow: { title: '->', width: 2, meaning: '', cell: () => '->' },
  newState: {
    title: 'NEWSTATE',
    width: 11,
    meaning: 'State that the connection enters.',
    cell: ({ newState }) => stateName(newState),
  },
  stateMs: {
    title: 'MS',
    width: 9,
    meaning: 'Milliseconds spent in OLDSTATE; unknown if the tool did not see its beginning.',
    cell: ({ durationUs }) => milliseconds(durationUs, 3),
  },
  sent: {
    title: 'TX_KB',
    width: 5,
    right: true,
    meaning: 'KiB sent and acknowledged, rounded down.',
    cell: ({ bytesSent }) => kibibytes(bytesSent),
    onlyModule: true,
  },
  received: {
    title: 'RX_KB',
    width: 5,
    right: true,
    meaning: 'KiB received, rounded down.',
    cell: ({ bytesReceived }) => kibibytes(bytesReceived),
    onlyModule: true,
  },
  lifeMs: {
    title: 'MS',
    width: 8,
    meaning: 'Milliseconds from established to closed; unknown for connections older than the tool.',
    cell: ({ durationUs }) => milliseconds(durationUs, 2),
  },
  latencyMs: {
    title: 'LAT(ms)',
    width: 7,
    meaning: 'Milliseconds from sending the SYN to established.',
    cell: ({ latencyUs }) => milliseconds(latencyUs, 2),
  },
} satisfies Record<string, Column>;

export type ColumnName = keyof typeof DEFINED;
export const COLUMNS: Readonly<Record<ColumnName, Column>> = DEFINED;

/** The columns that replace one column in CSV; absent for a column that stays as it is. */
export const CSV_COLUMNS: Readonly<Partial<Record<ColumnName, readonly ColumnName[]>>> = {
  localEnd: ['laddr', 'lport'],
  remoteEnd: ['raddr', 'rport'],
  arrow: [],
};
