/** Every key of the configuration: types, checks, environment names and the reference come from this table. */
import type { SingleEventKind } from '../event/kinds.ts';
import { type Key, key, list, stringMap } from '../setting/key.ts';
import {
  address,
  boolean,
  filePath,
  integer,
  labelName,
  line,
  name,
  network,
  oneOf,
  optional,
  processName,
} from '../setting/kind.ts';
import { isKey, type Paths, type Section, type Values } from '../setting/section.ts';
import { sinkKeys } from '../sink/registry.ts';
import { mapProbes, PROBE_TABLE } from '../source/probes.ts';

function event(doc: string): Key<boolean> {
  return key(boolean, { default: true, reloadable: true, doc });
}

/** Rate × burst in nanoseconds stays a whole number that a double can represent (src/event/limits.ts). */
const MAX_EVENTS_PER_SECOND = 100_000;
const MAX_BURST_SECONDS = 60;

function limit(kind: SingleEventKind): Key<number> {
  return key(integer(0, MAX_EVENTS_PER_SECOND), {
    default: 0,
    reloadable: true,
    doc: `At most this many \`${kind}\` events per second. Events above the limit are counted as suppressed. 0 means no limit.`,
  });
}

function probe(traces: string) {
  return {
    enabled: key(boolean, { default: true, doc: `Trace ${traces}.` }),
    filter: key(optional(line(4095)), {
      default: '',
      doc: 'ftrace filter for this probe, such as `dport == 443`. The kernel applies it before it records anything; where the kernel would apply it to all tracers, the agent does.',
    }),
  };
}

export const schema = {
  host: {
    name: key(optional(line(253)), {
      default: '',
      doc: "Name of this host in every event. Empty uses the operating system's host name.",
    }),
    labels: stringMap(labelName, line(255), {
      default: {},
      doc: 'Facts about this host that are in every event, such as data centre, rack, role, owner. Names have no dots, because Elasticsearch would make objects of them.',
    }),
  },
  source: {
    kind: key(oneOf('auto', 'module', 'tracepoints', 'replay'), {
      default: 'auto',
      doc: "Where events come from: tcp_trace.ko, the kernel's own tracepoints (Linux 4.16 or newer), or a recording. `auto` uses the module if it is loaded or can be loaded, otherwise the tracepoints.",
    }),
    module: {
      path: key(optional(filePath), {
        default: '',
        doc: 'File of the tcp_trace.ko to load if none is loaded yet. Empty asks modprobe for the one that is installed for this kernel.',
      }),
      build: key(boolean, {
        default: false,
        doc: 'Build and install the module at the start if this kernel has none, for example after a kernel update. This needs kernel-devel, gcc and make, and takes some seconds.',
      }),
    },
    recording: key(optional(filePath), {
      default: '',
      doc: 'File that `ktc record` wrote; for `source.kind` `replay`.',
    }),
    instance: key(name('_-', 64), {
      default: 'ktc',
      doc: 'Name of the ftrace instance that the agent creates, and removes on exit. Two agents on one host need two names.',
    }),
    buffer_kb: key(integer(64, 1_048_576), {
      default: 4096,
      doc: 'Size of the kernel ring buffer, KiB per CPU. It holds the records that arrive while reading pauses; records that do not fit are counted as `kernel_overrun`.',
    }),
    process_tracking: key(boolean, {
      default: true,
      doc: 'Also record which processes begin and change their names (`task:task_newtask`, `task:task_rename`), so that every event has the right process, also one that has ended since. Without it, the agent asks `/proc` each time it reads, and a process that has ended is unknown.',
    }),
    probes: mapProbes((name) => probe(PROBE_TABLE[name].traces)),
  },
  events: {
    tcp_connect: event('Emit an event for every connection that this host opens.'),
    tcp_accept: event('Emit an event for every connection that this host accepts.'),
    tcp_connect_latency: event(
      'Emit an event with the time from SYN sent to established for every connection that this host opens.',
    ),
    tcp_life: event('Emit an event with the totals of every connection when it ends.'),
    tcp_retransmit: event('Emit an event for every retransmitted segment.'),
    tcp_state: event('Emit an event for every change of TCP state; this is the most frequent kind.'),
    tcp_reset: event('Emit an event for every reset sent or received.'),
  } satisfies Record<SingleEventKind, Key<boolean>>,
  exclude: {
    addresses: list(network, {
      default: [],
      reloadable: true,
      doc: 'Emit no events of connections with a local or remote address in one of these networks.',
    }),
    ports: list(integer(1, 65_535), {
      default: [],
      reloadable: true,
      doc: 'Emit no events of connections with one of these local or remote ports.',
    }),
    comms: list(processName, {
      default: [],
      reloadable: true,
      doc: 'Emit no events of connections whose owner has one of these names (`comm`, which the kernel cuts to 15 bytes).',
    }),
    units: list(line(255), {
      default: [],
      reloadable: true,
      doc: 'Emit no events of connections whose owner belongs to one of these systemd units, such as `backup.service`.',
    }),
  },
  limits: {
    events_per_second: {
      tcp_connect: limit('tcp_connect'),
      tcp_accept: limit('tcp_accept'),
      tcp_connect_latency: limit('tcp_connect_latency'),
      tcp_life: limit('tcp_life'),
      tcp_retransmit: limit('tcp_retransmit'),
      tcp_state: limit('tcp_state'),
      tcp_reset: limit('tcp_reset'),
    } satisfies Record<SingleEventKind, Key<number>>,
    burst_s: key(integer(1, MAX_BURST_SECONDS), {
      default: 10,
      reloadable: true,
      doc: "After a quiet time, this many seconds' worth of events of a limited kind may pass at once, so that the start of an incident is complete.",
    }),
  },
  summary: {
    interval_s: key(integer(0, 3600), {
      default: 0,
      reloadable: true,
      doc: 'Length of the interval, in seconds, after which the agent emits a `tcp_retransmit_summary` for every peer with retransmits; 60 is a good start. No limit suppresses summaries. 0 emits none: without a limit, every retransmit is an event already.',
    }),
    max_peers: key(integer(1, 10_000), {
      default: 1000,
      reloadable: true,
      doc: 'How many peers can have their own summary in one interval; all others share one without addresses.',
    }),
  },
  host_status: {
    interval_s: key(integer(0, 3600), {
      default: 60,
      reloadable: true,
      doc: 'How often the agent emits a `host_status`, in seconds. It is also emitted right after the start, at the stop and on demand. No limit suppresses it. 0 emits none.',
    }),
  },
  tracking: {
    max_connections: key(integer(1024, 4_194_304), {
      default: 65_536,
      doc: 'How many connections are tracked at a time, about 300 bytes each. The connection without an event for the longest time is forgotten first, and counted.',
    }),
  },
  batch: {
    max_events: key(integer(1, 10_000), {
      default: 1000,
      reloadable: true,
      doc: 'A batch holds at most this many events.',
    }),
    max_bytes: key(integer(4096, 67_108_864), {
      default: 1_048_576,
      reloadable: true,
      doc: 'A batch holds at most this many bytes of JSON. At most `queue.max_bytes`.',
    }),
    linger_ms: key(integer(0, 10_000), {
      default: 240,
      reloadable: true,
      doc: 'How long records wait in the kernel for others, in milliseconds: a round of reading begins this long after the first of them, or sooner if many come, and what it reads is sent at once. Values below 10 count as 10 while records keep coming.',
    }),
  },
  queue: {
    max_bytes: key(integer(65_536, 1_073_741_824), {
      default: 16_777_216,
      doc: 'Bytes of batches that are kept in memory. Without the spool, only these can wait: when the queue is full, reading pauses and the kernel buffer takes the rest. With the spool, the queue also holds a copy of what is on disk, as far as it fits; while the disk takes nothing, batches wait here.',
    }),
  },
  spool: {
    enabled: key(boolean, {
      default: true,
      doc: 'Keep events on disk until every sink has acknowledged them, so that they survive the end of the agent. Without the spool, undelivered events are lost when the process ends.',
    }),
    directory: key(filePath, {
      default: '/var/lib/ktc/spool',
      doc: 'Directory of the spool; each agent needs its own. It must exist, and the user of the agent must be able to write to it.',
    }),
    max_bytes: key(integer(1_048_576, 1_099_511_627_776), {
      default: 1_073_741_824,
      doc: 'Maximum size of the files of the spool. At least four times `batch.max_bytes`.',
    }),
    when_full: key(oneOf('block', 'drop_oldest', 'drop_newest'), {
      default: 'drop_oldest',
      doc: 'What to do when the spool is full: drop the oldest events, drop the newest, or stop reading (`block`), so that the kernel overwrites its oldest records. All losses are counted.',
    }),
    fsync_interval_ms: key(integer(0, 60_000), {
      default: 1000,
      doc: 'How often spooled events are forced to the disk, in milliseconds. A crash of the host loses at most what was spooled in this time. 0 forces them to the disk before they are sent; this costs a write to the disk each time.',
    }),
  },
  dead_letter: {
    path: key(optional(filePath), {
      default: '/var/lib/ktc/dead-letter.ndjson',
      doc: 'File for events that a sink has refused for good, with the reason. If empty, they are only counted.',
    }),
    max_bytes: key(integer(4096, 1_099_511_627_776), {
      default: 16_777_216,
      doc: 'The dead-letter file is rotated before it grows beyond this many bytes; one older file is kept.',
    }),
  },
  sink: {
    max_in_flight: key(integer(1, 64), {
      default: 2,
      doc: 'Maximum number of batches in flight (sent and not yet acknowledged), per sink. A fault halves the number of batches in flight; successful batches raise it again.',
    }),
    connect_spread_ms: key(integer(0, 600_000), {
      default: 3000,
      doc: 'Longest pause before a sink connects for the first time, in milliseconds; the actual pause is a random part of it, so that the agents of a fleet that start together do not all connect at the same moment. Events wait meanwhile, as in an outage.',
    }),
    retry_initial_ms: key(integer(1, 60_000), {
      default: 100,
      doc: 'Longest pause before the first retry of a failed batch, in milliseconds. It doubles with every retry; the actual pause is a random part of it. At most `sink.retry_max_ms`.',
    }),
    retry_max_ms: key(integer(1, 600_000), {
      default: 10_000,
      doc: 'Longest pause between two tries, in milliseconds. The agent never stops trying.',
    }),
    ...sinkKeys,
  },
  process: {
    user: key(optional(name('_.-', 32)), {
      default: '',
      doc: 'User that the agent becomes, by name or number, once everything is open that only root can open. If empty, it stays the user who starts it. If the agent is not started as root, this key has no effect.',
    }),
    group: key(optional(name('_.-', 32)), {
      default: '',
      doc: "Group that the agent becomes, by name or number. Empty uses the group of `process.user`. The user's other groups in `/etc/group` are set too.",
    }),
  },
  log: {
    level: key(oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'), {
      default: 'info',
      reloadable: true,
      doc: 'Lowest severity that is logged to standard error.',
    }),
  },
  telemetry: {
    http: {
      enabled: key(boolean, { default: true, doc: 'Serve `/healthz`, `/readyz`, `/status` and `/metrics`.' }),
      address: key(address, {
        default: '127.0.0.1',
        doc: 'Address to listen on. There is no login: use loopback or a private network.',
      }),
      port: key(integer(0, 65_535), {
        default: 9474,
        doc: 'Port to listen on; 0 uses a free port and logs it.',
      }),
    },
  },
  shutdown: {
    timeout_s: key(integer(1, 600), {
      default: 10,
      doc: 'How many seconds the agent tries to deliver the remaining events when it is told to stop. Events that remain after that stay in the spool; without a spool they are counted as dropped.',
    }),
  },
};

/** The configuration of the agent, complete and checked. */
export interface AgentConfig extends Values<typeof schema> {}

/** The dotted path of a key, such as `batch.max_events`. */
export type ConfigPath = Paths<typeof schema>;

function collect(section: Section, prefix: string): [string, Section | Key<unknown>][] {
  return Object.entries(section).flatMap(([part, node]) => {
    const path = `${prefix}${part}`;
    return isKey(node) ? [[path, node]] : [[path, node], ...collect(node, `${path}.`)];
  });
}

const nodes = collect(schema, '');

/** All keys by path, in the order of the schema. */
export const keys: ReadonlyMap<ConfigPath, Key<unknown>> = new Map(
  nodes.flatMap(([path, node]) => (isKey(node) ? [[path as ConfigPath, node] as const] : [])),
);

/** All paths of keys and sections. */
export const knownPaths: readonly string[] = nodes.map(([path]) => path);

export function isConfigPath(path: string): path is ConfigPath {
  return (keys as ReadonlyMap<string, unknown>).has(path);
}

/** The environment variable that sets a key: `KTC_BATCH_MAX_EVENTS` for `batch.max_events`. */
export function environmentName(path: string): string {
  return `KTC_${path.toUpperCase().replaceAll('.', '_')}`;
}

/** The value of one key. */
export function valueAt(config: AgentConfig, path: ConfigPath): unknown {
  return path.split('.').reduce<unknown>((value, part) => (value as Record<string, unknown>)[part], config);
}
