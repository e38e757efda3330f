/** The kernel's own TCP counters of a network namespace: the independent count that events are compared with. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const COUNTERS = [
  'TcpActiveOpens',
  'TcpPassiveOpens',
  'TcpAttemptFails',
  'TcpEstabResets',
  'TcpOutRsts',
  /** Segments sent again, SYNs, SYN-ACKs and loss probes included, also those that could not be sent. */
  'TcpRetransSegs',
  /** Of TcpRetransSegs: not sent because the way out refused them. */
  'TcpExtTCPRetransFail',
  /** Includes probes with new data, which are no retransmits. */
  'TcpExtTCPLossProbes',
  /** Of TcpRetransSegs: SYNs and SYN-ACKs. */
  'TcpExtTCPSynRetrans',
  'TcpExtTCPTimeouts',
  'TcpExtTCPFastRetrans',
] as const;

export type CounterName = (typeof COUNTERS)[number];
export type Counters = Readonly<Record<CounterName, number>>;

function mapCounters(value: (name: CounterName) => number): Counters {
  return Object.fromEntries(COUNTERS.map((name) => [name, value(name)])) as Record<CounterName, number>;
}

/** Counts since the namespace was made. */
export async function readCounters(namespace: string): Promise<Counters> {
  // Absolute values, without the history file that nstat shares between namespaces, zeros too.
  const args = ['netns', 'exec', namespace, 'nstat', '--zeros', '--noupdate', '--ignore', '--json'];
  const { stdout } = await promisify(execFile)('ip', args);
  return parseCounters(stdout);
}

/** What `nstat --json` printed. */
export function parseCounters(json: string): Counters {
  const { kernel } = JSON.parse(json) as { kernel: Record<string, number> };
  return mapCounters((name) => {
    const value = kernel[name];
    if (value === undefined) throw new Error(`nstat does not know ${name}`);
    return value;
  });
}

/** What was counted between two readings. */
export function countersSince(before: Counters, after: Counters): Counters {
  return mapCounters((name) => after[name] - before[name]);
}

export function sumCounters(all: readonly Counters[]): Counters {
  return mapCounters((name) => all.reduce((sum, counters) => sum + counters[name], 0));
}
