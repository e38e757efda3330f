/** Events as lines for people: one event per line, within 120 columns unless IPv6 addresses need more. */
import { isIPv6 } from 'node:net';
import type { EventKind } from '../../event/kinds.ts';
import type { HostStatusEvent, KtcEvent, TcpEvent } from '../../event/tcp-event.ts';
import { escapeControls } from '../../shared/text.ts';

export interface Table {
  readonly header: string;
  /** Without a newline. */
  row(event: KtcEvent): string;
}

/** Where each column begins. A cell that is too long moves the next ones only as far as necessary. */
const COLUMNS = [
  { title: 'TIME', at: 0 },
  { title: 'EVENT', at: 13 },
  { title: 'PID', at: 21 },
  { title: 'COMM', at: 28 },
  { title: 'LADDR:LPORT', at: 44 },
  { title: 'RADDR:RPORT', at: 66 },
  { title: 'DETAIL', at: 88 },
] as const;

const SHORT_NAMES: Readonly<Record<EventKind, string>> = {
  tcp_connect: 'connect',
  tcp_accept: 'accept',
  tcp_connect_latency: 'latency',
  tcp_life: 'life',
  tcp_retransmit: 'retrans',
  tcp_state: 'state',
  tcp_reset: 'reset',
  tcp_retransmit_summary: 'summary',
  host_status: 'status',
};
/** Stands for a value that the source could not know. */
const UNKNOWN = '-';
const RED = '\x1b[31m';
const RESET = '\x1b[0m';

/** Times are local, because people compare them with their clock. With `color`, retransmits are red. */
export function createTable({ color }: { color: boolean }): Table {
  return {
    header: line(COLUMNS.map(({ title }) => title)),
    row(event) {
      const text = line([
        localTime(event.timestamp),
        SHORT_NAMES[event.event],
        ...(event.event === 'host_status' ? statusCells(event) : tcpCells(event)),
      ]);
      return color && event.event === 'tcp_retransmit' ? `${RED}${text}${RESET}` : text;
    },
  };
}

export function line(cells: readonly string[]): string {
  let text = '';
  for (const [index, cell] of cells.entries()) {
    if (index > 0) text = `${text} `.padEnd(COLUMNS[index]?.at ?? 0);
    text += cell;
  }
  return text.trimEnd();
}

function statusCells({ uptime_s, ledger }: HostStatusEvent): string[] {
  const lost = Object.entries(ledger).reduce(
    (sum, [name, n]) => (name.startsWith('lost.') ? sum + n : sum),
    0,
  );
  const detail = `up ${duration(uptime_s * 1e6)}, ${ledger['emitted']} events, ${lost} lost`;
  return [UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, detail];
}

function tcpCells(event: TcpEvent): string[] {
  return [
    String(event.pid ?? UNKNOWN),
    escapeControls(event.comm ?? UNKNOWN),
    endpoint(event.local_address, event.local_port),
    endpoint(event.remote_address, event.remote_port),
    detail(event),
  ];
}

function detail(event: TcpEvent): string {
  switch (event.event) {
    case 'tcp_state': {
      const change = `${event.old_state ?? UNKNOWN} -> ${event.new_state ?? UNKNOWN}`;
      return `${change} ${duration(event.duration_us)}`;
    }
    case 'tcp_retransmit':
      return `${event.retransmit_kind === 'unknown' ? '' : `${event.retransmit_kind} in `}${event.state ?? UNKNOWN}`;
    case 'tcp_reset':
      return `reset ${event.reset_direction} ${event.state ?? UNKNOWN}`;
    case 'tcp_connect_latency':
      return `connected in ${duration(event.latency_us)}`;
    case 'tcp_life':
      return [
        `life ${duration(event.duration_us)}`,
        ...(event.bytes_sent === null ? [] : [`tx ${size(event.bytes_sent)}`]),
        ...(event.bytes_received === null ? [] : [`rx ${size(event.bytes_received)}`]),
      ].join(' ');
    case 'tcp_retransmit_summary':
      return `${event.retransmits} retransmits in ${duration(event.interval_us)}`;
    case 'tcp_connect':
    case 'tcp_accept':
      return '';
  }
}

function endpoint(address: string | null, port: number | null): string {
  const host = address === null ? UNKNOWN : isIPv6(address) ? `[${address}]` : address;
  return `${host}:${port ?? UNKNOWN}`;
}

/** HH:MM:SS.mmm */
function localTime(timestamp: string): string {
  const time = new Date(timestamp);
  const digits = (value: number, length: number) => String(value).padStart(length, '0');
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => digits(part, 2));
  return `${clock.join(':')}.${digits(time.getMilliseconds(), 3)}`;
}

/** Three digits are enough to compare by eye. */
function duration(microseconds: number | null): string {
  if (microseconds === null) return UNKNOWN;
  if (microseconds < 100) return `${microseconds} us`;
  if (microseconds < 10_000) return `${(microseconds / 1e3).toFixed(1)} ms`;
  if (microseconds < 1_000_000) return `${Math.round(microseconds / 1e3)} ms`;
  return microseconds < 100_000_000
    ? `${(microseconds / 1e6).toFixed(1)} s`
    : `${Math.round(microseconds / 1e6)} s`;
}

function size(bytes: number): string {
  let value = bytes;
  for (const unit of ['B', 'kB', 'MB', 'GB']) {
    if (value < 1000) return `${value < 10 && unit !== 'B' ? value.toFixed(1) : Math.round(value)} ${unit}`;
    value /= 1000;
  }
  return `${Math.round(value)} TB`;
}
