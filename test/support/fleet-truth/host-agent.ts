/** The agent and the kernel of one host: they number events, count, and report both in host_status. */
import { SCHEMA_VERSION } from '../../../src/event/kinds.ts';
import { blankOf, type FleetEvent, type Happening, timestampText } from './event.ts';
import { addressesOf, CPU_COUNT, type FleetHost, HOST_NETNS, labelsOf, PLANTED } from './plan.ts';
import type { Random } from './random.ts';

export interface HostAgent {
  readonly session: () => string;
  readonly nextConnectionId: () => string;
  /** The event of something that happened, numbered and counted. */
  readonly emit: (happening: Happening, minute: number) => FleetEvent;
  /** What the kernel counted and the agent's limit kept back. */
  readonly suppress: (happening: Happening) => void;
  /** The kernel had no room for these retransmits. */
  readonly overrun: (records: number) => void;
  /** These events were dropped because the spool was full. */
  readonly drop: (events: number) => void;
  readonly status: (us: number, minute: number) => FleetEvent;
  /** The full listen queue refused as many connections. */
  readonly overflow: (connections: number) => void;
  /** So many segments came out of order. */
  readonly reorder: (segments: number) => void;
  /** Another agent takes over. */
  readonly restart: (us: number) => void;
}

const KERNEL_COUNTERS = [
  ...(['Tcp.OutSegs', 'Tcp.InSegs', 'Tcp.RetransSegs', 'Tcp.ActiveOpens', 'Tcp.PassiveOpens'] as const),
  ...(['Tcp.AttemptFails', 'Tcp.EstabResets', 'Tcp.OutRsts', 'TcpExt.TCPLossProbes'] as const),
  ...([
    'TcpExt.TCPTimeouts',
    'TcpExt.TCPSynRetrans',
    'TcpExt.ListenOverflows',
    'TcpExt.ListenDrops',
  ] as const),
  ...(['TcpExt.TCPBacklogDrop', 'TcpExt.TCPDSACKRecv', 'TcpExt.TCPLostRetransmit'] as const),
  ...(['TcpExt.TCPOFOQueue', 'Ip.ReasmFails', 'Ip.ReasmReqds', 'Ip.ReasmOKs'] as const),
] as const;
type KernelCounter = (typeof KERNEL_COUNTERS)[number];

/** Of events that no record of their own stands behind. */
const DERIVED: readonly string[] = ['tcp_connect', 'tcp_connect_latency', 'tcp_life'];

/** What the kernel counts when this happens. */
function countersOf({ kind, values }: Happening): readonly (readonly [KernelCounter, number])[] {
  const number = (name: string): number => Number(values[name] ?? 0);
  switch (kind) {
    case 'tcp_connect':
      return [['Tcp.ActiveOpens', 1]];
    case 'tcp_accept':
      return [['Tcp.PassiveOpens', 1]];
    case 'tcp_life':
      return [
        ['Tcp.OutSegs', number('segments_sent')],
        ['Tcp.InSegs', number('segments_received')],
      ];
    case 'tcp_reset':
      return values['reset_direction'] === 'sent' ? [['Tcp.OutRsts', 1]] : [['Tcp.EstabResets', 1]];
    case 'tcp_retransmit':
      switch (values['retransmit_kind']) {
        case 'rto':
          return [
            ['Tcp.RetransSegs', 1],
            ['TcpExt.TCPTimeouts', 1],
          ];
        case 'tlp':
          return [
            ['Tcp.RetransSegs', 1],
            ['TcpExt.TCPLossProbes', 1],
          ];
        case 'syn':
          return [
            ['Tcp.RetransSegs', 1],
            ['TcpExt.TCPTimeouts', 1],
            ['TcpExt.TCPSynRetrans', 1],
          ];
        default:
          return [['Tcp.RetransSegs', 1]];
      }
    case 'tcp_state':
      return values['old_state'] === 'SYN_SENT' && values['new_state'] === 'CLOSE'
        ? [['Tcp.AttemptFails', 1]]
        : [];
    default:
      return [];
  }
}

/** The counters of its only interface at the end of the minute. */
function interfaceOf(host: FleetHost, minute: number): Record<string, number> {
  const { hostIndex, fromMinute, errorsPerMinute } = PLANTED.badCable;
  const errors = host.index === hostIndex ? Math.max(0, minute + 1 - fromMinute) * errorsPerMinute : 0;
  return { rx_packets: minute * 9000, tx_packets: minute * 8000, rx_errors: errors, tx_errors: 0 };
}

export function createHostAgent(host: FleetHost, startUs: number, random: Random): HostAgent {
  const counters = new Map<KernelCounter, number>(
    // A kernel that has been up for some time.
    KERNEL_COUNTERS.map((name) => [name, random.integer(0, 1_000_000)]),
  );
  let session = random.hex(8);
  let sessionUs = startUs;
  let connections = 0;
  let ordinals = Array.from({ length: CPU_COUNT }, () => 0);
  let last = { us: 0, nanoseconds: 0 };
  let ledger = { derived: 0, suppressed: 0, overrun: 0, dropped: 0 };

  const count = (name: KernelCounter, by: number): void => {
    counters.set(name, (counters.get(name) ?? 0) + by);
  };
  const countAll = (happening: Happening): void => {
    for (const [name, by] of countersOf(happening)) count(name, by);
  };
  const number = (cpu: number): string => {
    const ordinal = ordinals[cpu] ?? 0;
    ordinals[cpu] = ordinal + 1;
    return `${host.bootId}-${session}-${cpu}-${ordinal}`;
  };
  /** Within a microsecond, what happens later has the later time. */
  const nextNanoseconds = (us: number): number => {
    const any = random.integer(0, 999);
    last = { us, nanoseconds: us === last.us ? Math.min(999, Math.max(any, last.nanoseconds + 1)) : any };
    return last.nanoseconds;
  };
  const ledgerNow = (): Record<string, number> => {
    const emitted = ordinals.reduce((sum, next) => sum + next, 0);
    const { derived, suppressed, overrun, dropped } = ledger;
    const decoded = emitted + suppressed - derived;
    return {
      read: decoded,
      malformed: 0,
      decoded,
      derived,
      emitted,
      held: 0,
      'filtered.excluded_port': 0,
      'suppressed.tcp_retransmit': suppressed,
      'lost.kernel_overrun': overrun,
      'sink.kafka.delivered': emitted - dropped,
      'sink.kafka.dropped.spool_full': dropped,
      'sink.kafka.queued': 0,
      'sink.kafka.spooled': 0,
      'sink.kafka.in_flight': 0,
    };
  };
  const envelope = (event: FleetEvent['event'], us: number, minute: number, cpu: number) => ({
    schema_version: SCHEMA_VERSION,
    event_id: number(cpu),
    event,
    timestamp: timestampText(us, nextNanoseconds(us)),
    host: host.name,
    host_id: host.hostId,
    boot_id: host.bootId,
    kernel: host.kernel,
    labels: labelsOf(host, minute),
  });

  return {
    session: () => session,
    nextConnectionId: () => `${session}-${connections++}`,
    emit(happening, minute) {
      countAll(happening);
      if (DERIVED.includes(happening.kind)) ledger.derived++;
      const cpu = random.integer(0, CPU_COUNT - 1);
      return {
        ...blankOf(happening.kind),
        ...envelope(happening.kind, happening.us, minute, cpu),
        cpu,
        ...happening.values,
      };
    },
    suppress(happening) {
      countAll(happening);
      ledger.suppressed++;
    },
    overrun(records) {
      count('Tcp.RetransSegs', records);
      ledger.overrun += records;
    },
    drop(events) {
      ledger.dropped += events;
    },
    overflow(connections) {
      count('TcpExt.ListenOverflows', connections);
      count('TcpExt.ListenDrops', connections);
    },
    reorder: (segments) => count('TcpExt.TCPOFOQueue', segments),
    status(us, minute) {
      const before = Object.fromEntries(ordinals.map((next, cpu) => [cpu, next]));
      const account = ledgerNow();
      const isDeployed = host.service === PLANTED.deploy.service && minute >= PLANTED.deploy.minute;
      return {
        ...envelope('host_status', us, minute, 0),
        cpu: 0,
        netns: HOST_NETNS,
        agent_version: host.agentVersion,
        uptime_s: Math.floor((us - sessionUs) / 1e6),
        source_kind: host.sourceKind,
        config_hash: isDeployed ? `1${host.configHash.slice(1)}` : host.configHash,
        addresses: addressesOf(host, minute),
        counters: Object.fromEntries(counters),
        interfaces: { eth0: interfaceOf(host, minute) },
        ledger: account,
        ordinals: before,
      };
    },
    restart(us) {
      session = random.hex(8);
      sessionUs = us;
      connections = 0;
      ordinals = ordinals.map(() => 0);
      ledger = { derived: 0, suppressed: 0, overrun: 0, dropped: 0 };
    },
  };
}
