/** Every key of the configuration. Types, checks, environment names and the reference all come from here. */
import type { SingleEventKind } from '../event/tcp-event.ts';
import type { ProbeName } from '../source/probes.ts';
import { headerName, headerValue } from './headers.ts';
import { type Key, key, list, record } from './key.ts';
import {
  address,
  boolean,
  broker,
  filePath,
  httpUrl,
  integer,
  labelName,
  line,
  name,
  network,
  oneOf,
  optional,
  processName,
  secretPath,
  topicPattern,
} from './kind.ts';

function event(doc: string): Key<boolean> {
  return key(boolean, { default: true, reloadable: true, doc });
}

/** Rate × burst, in nanoseconds, stays a whole number that a double holds exactly (src/event/limits.ts). */
const MAX_EVENTS_PER_SECOND = 100_000;
const MAX_BURST_SECONDS = 60;

function limit(kind: SingleEventKind): Key<number> {
  return key(integer(0, MAX_EVENTS_PER_SECOND), {
    default: 0,
    reloadable: true,
    doc: `At most this many \`${kind}\` events a second; those above are counted as suppressed. 0 is no limit.`,
  });
}

function probe(what: string) {
  return {
    enabled: key(boolean, { default: true, doc: `Trace ${what}.` }),
    filter: key(optional(line(4095)), {
      default: '',
      doc: 'ftrace filter that the kernel applies to this probe before anything is recorded, such as `dport == 443`.',
    }),
  };
}

/** `who` asks for a certificate. */
function tlsFiles(who: string) {
  return {
    ca_file: key(optional(filePath), {
      default: '',
      doc: 'PEM file of the authorities to trust. Empty trusts those of Node.js.',
    }),
    certificate_file: key(optional(filePath), {
      default: '',
      doc: `PEM file of the agent's own certificate, where ${who} for one. Needs the key.`,
    }),
    key_file: key(optional(secretPath), {
      default: '',
      doc: 'PEM file of the key of that certificate, mode 0600 or narrower. Read again at each new connection, so it must be owned by `process.user` where that is set, else by the user who starts the agent.',
    }),
  };
}

export const schema = {
  host: {
    name: key(optional(line(253)), {
      default: '',
      doc: "Name of this host in every event. Empty takes the operating system's host name.",
    }),
    labels: record(labelName, line(255), {
      default: {},
      doc: 'Facts about this host in every event, such as data centre, rack, role, owner. No dots in names: Elasticsearch would make objects of them.',
    }),
  },
  source: {
    kind: key(oneOf('auto', 'module', 'tracepoints', 'replay'), {
      default: 'auto',
      doc: "Where events come from: tcp_trace.ko, the kernel's own tracepoints (Linux 4.16 or newer), or a recording. `auto` takes the module where it is loaded or can be, else the tracepoints.",
    }),
    module: {
      path: key(optional(filePath), {
        default: '',
        doc: 'The tcp_trace.ko to load where none is loaded yet. Empty asks modprobe for the one that is installed for this kernel.',
      }),
      build: key(boolean, {
        default: false,
        doc: 'Build and install the module at start where this kernel has none, as after an update of the kernel. Needs kernel-devel, gcc and make; takes some seconds.',
      }),
    },
    recording: key(optional(filePath), {
      default: '',
      doc: 'File that `ktc record` wrote, for the kind `replay`.',
    }),
    instance: key(name('_-', 64), {
      default: 'ktc',
      doc: 'Name of the ftrace instance that the agent makes for itself and removes on exit. Two agents on one host need two names.',
    }),
    buffer_kb: key(integer(64, 1_048_576), {
      default: 4096,
      doc: 'Kernel ring buffer, KiB per CPU. It takes the burst while reading pauses; what does not fit is counted as `kernel_overrun`.',
    }),
    probes: {
      tcp_set_state: probe(
        'changes of TCP state: connect, accept, latency, life and state events come from it',
      ),
      tcp_retransmit_skb: probe('retransmitted segments'),
      tcp_send_loss_probe: probe('tail loss probes; only the module has it'),
      tcp_retransmit_synack: probe('retransmitted SYN-ACKs'),
      inet_csk_accept: probe('accept(2): which process takes a connection; only the module has it'),
      tcp_send_reset: probe('resets that this host sends'),
      tcp_receive_reset: probe('resets that this host receives'),
    } satisfies Record<ProbeName, unknown>,
  },
  events: {
    tcp_connect: event('Emit an event for every connection this host opens.'),
    tcp_accept: event('Emit an event for every connection this host accepts.'),
    tcp_connect_latency: event(
      'Emit the time from SYN sent to established of every connection this host opens.',
    ),
    tcp_life: event('Emit a summary of every connection when it ends.'),
    tcp_retransmit: event('Emit an event for every retransmitted segment.'),
    tcp_state: event('Emit an event for every change of TCP state, the most frequent kind.'),
    tcp_reset: event('Emit an event for every reset sent or received.'),
  } satisfies Record<SingleEventKind, Key<boolean>>,
  exclude: {
    addresses: list(network, {
      default: [],
      reloadable: true,
      doc: 'No events of connections with a local or remote address in one of these networks.',
    }),
    ports: list(integer(1, 65_535), {
      default: [],
      reloadable: true,
      doc: 'No events of connections with one of these local or remote ports.',
    }),
    comms: list(processName, {
      default: [],
      reloadable: true,
      doc: 'No events of connections whose owner has one of these names (`comm`, which the kernel cuts at 15 bytes).',
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
      doc: "After a quiet time, this many seconds' worth of a limited kind may come at once, so that the start of an incident is seen whole.",
    }),
  },
  summary: {
    interval_s: key(integer(0, 3600), {
      default: 0,
      reloadable: true,
      doc: 'Emit a `tcp_retransmit_summary` for every peer with retransmits, every so many seconds; 60 is a good start. No limit suppresses it. 0 emits none: without a limit every retransmit is an event already.',
    }),
    max_peers: key(integer(1, 10_000), {
      default: 1000,
      reloadable: true,
      doc: 'Peers that have a summary of their own in one interval; all others share one without addresses.',
    }),
  },
  tracking: {
    max_connections: key(integer(1024, 4_194_304), {
      default: 65_536,
      doc: 'Connections remembered at a time, some 300 bytes each. The one longest without an event is forgotten first, and counted.',
    }),
  },
  batch: {
    max_events: key(integer(1, 10_000), {
      default: 1000,
      reloadable: true,
      doc: 'A batch is sent when it holds this many events.',
    }),
    max_bytes: key(integer(4096, 67_108_864), {
      default: 1_048_576,
      reloadable: true,
      doc: 'A batch is sent when it holds this many bytes of JSON. Not more than `queue.max_bytes`.',
    }),
    linger_ms: key(integer(0, 10_000), {
      default: 200,
      reloadable: true,
      doc: 'A batch is sent this many milliseconds after its first event, however few it holds.',
    }),
  },
  queue: {
    max_bytes: key(integer(65_536, 1_073_741_824), {
      default: 16_777_216,
      doc: 'Bytes of batches that are kept in memory. Without the spool this is all that can wait: when full, reading pauses and the kernel buffer takes the rest. With it, what is on disk is also kept here as far as it fits, and this is what can wait while the disk takes nothing.',
    }),
  },
  spool: {
    enabled: key(boolean, {
      default: true,
      doc: 'Keep events on disk until every sink has acknowledged them, so that they outlive the agent. Without it, what was not delivered is lost with the process.',
    }),
    directory: key(filePath, {
      default: '/var/lib/ktc/spool',
      doc: 'Directory of the spool, one for each agent. It must exist, and be writable for the user of the agent.',
    }),
    max_bytes: key(integer(1_048_576, 1_099_511_627_776), {
      default: 1_073_741_824,
      doc: 'Size of its files at most. Not less than four times `batch.max_bytes`.',
    }),
    when_full: key(oneOf('block', 'drop_oldest', 'drop_newest'), {
      default: 'drop_oldest',
      doc: 'With more than that: drop the oldest or the newest events, or stop reading, so that the kernel overwrites its oldest records. Everything is counted.',
    }),
    fsync_interval_ms: key(integer(0, 60_000), {
      default: 1000,
      doc: 'What was spooled is forced to the disk after this long, all of it at once; a crash of the host loses no more than that. 0 does so before anything is sent, and spools after every read, at the price of a write to the disk each time.',
    }),
  },
  dead_letter: {
    path: key(optional(filePath), {
      default: '/var/lib/ktc/dead-letter.ndjson',
      doc: 'File for events that a sink has refused for good, with the reason. Empty only counts them.',
    }),
    max_bytes: key(integer(4096, 1_099_511_627_776), {
      default: 16_777_216,
      doc: 'That file is rotated before it grows beyond this many bytes; one older file is kept.',
    }),
  },
  sink: {
    max_in_flight: key(integer(1, 64), {
      default: 2,
      doc: 'Batches sent and not yet acknowledged at a time, for each sink, at most: half as many after every fault, and more again while all goes well.',
    }),
    retry_initial_ms: key(integer(1, 60_000), {
      default: 100,
      doc: 'First pause before a failed batch is sent again, in milliseconds; it doubles every time. Not more than `sink.retry_max_ms`.',
    }),
    retry_max_ms: key(integer(1, 600_000), {
      default: 10_000,
      doc: 'Longest pause between two tries, in milliseconds. Tries themselves never end.',
    }),
    kafka: {
      enabled: key(boolean, {
        default: false,
        doc: 'Send events to Kafka, acknowledged by all in-sync replicas.',
      }),
      brokers: list(broker, {
        default: [],
        doc: 'Brokers to ask first for the cluster: two or three are enough.',
      }),
      topic: key(topicPattern, {
        default: 'ktc-events',
        doc: 'Topic for all events, or with `{event}` in its name one for each kind: `ktc.{event}` becomes `ktc.tcp_life` and so on. All must exist; the agent never creates them.',
      }),
      client_id: key(name('._-', 255), {
        default: 'ktc-agent',
        doc: "Name of the agent in the brokers' logs and quotas.",
      }),
      key: key(oneOf('host', 'connection_id', 'event_id'), {
        default: 'host',
        doc: "Field that becomes the message key. The partition comes from the host whatever the key, so that one host's events stay in order.",
      }),
      format: key(oneOf('json', 'ndjson'), {
        default: 'json',
        doc: 'One event a message, or many events a message, one a line, which costs a third of the CPU and needs a consumer that splits lines. `ndjson` takes the key `host`.',
      }),
      max_message_events: key(integer(1, 10_000), {
        default: 500,
        doc: 'With `ndjson`: the most events of one message.',
      }),
      max_message_bytes: key(integer(1024, 104_857_600), {
        default: 262_144,
        doc: 'With `ndjson`: the most bytes of a message that holds more than one event. Not more than `sink.kafka.max_request_bytes`.',
      }),
      compression: key(oneOf('gzip', 'zstd', 'none'), {
        default: 'gzip',
        doc: 'Compression of what is sent. `zstd` needs brokers and consumers of Kafka 2.1 or newer.',
      }),
      compression_level: key(integer(1, 9), {
        default: 1,
        doc: 'Level of gzip or zstd: 1 costs the least CPU, 9 the least network.',
      }),
      idempotent: key(boolean, {
        default: true,
        doc: 'Let the broker drop what a retry sends twice. Needs the right IdempotentWrite where the cluster has access lists.',
      }),
      request_timeout_ms: key(integer(1000, 600_000), {
        default: 30_000,
        doc: 'How long a broker may take for one request, in milliseconds. Not more than `sink.kafka.delivery_timeout_ms`.',
      }),
      delivery_timeout_ms: key(integer(1000, 3_600_000), {
        default: 120_000,
        doc: 'After this many milliseconds without an acknowledgement the connection is renewed and the batch sent again. Nothing is dropped.',
      }),
      max_request_bytes: key(integer(1024, 104_857_600), {
        default: 900_000,
        doc: "Larger sends are split. Keep it below the broker's `message.max.bytes` (1 MiB by default).",
      }),
      tls: {
        enabled: key(boolean, { default: false, doc: 'Encrypt, and check the certificate of the broker.' }),
        ...tlsFiles('brokers ask'),
      },
      sasl: {
        mechanism: key(oneOf('none', 'plain', 'scram-sha-256', 'scram-sha-512'), {
          default: 'none',
          doc: 'How to log in at the broker. `plain` shows the password to the network unless TLS is on.',
        }),
        username: key(optional(line(255)), { default: '', doc: 'Name to log in with.' }),
        password_file: key(optional(secretPath), {
          default: '',
          doc: 'File that holds only the password, mode 0600 or narrower, owned by root or by `process.user`. A line break at the end does not count.',
        }),
      },
    },
    otlp: {
      enabled: key(boolean, {
        default: false,
        doc: 'Send events as log records to a receiver of OTLP, such as an OpenTelemetry Collector.',
      }),
      protocol: key(oneOf('http/protobuf', 'http/json', 'grpc'), {
        default: 'http/protobuf',
        doc: 'How to speak OTLP. `http/json` costs the most.',
      }),
      endpoint: key(optional(httpUrl), {
        default: '',
        doc: 'URL of the receiver; `https` encrypts and checks its certificate. For HTTP, a URL without a path gets `/v1/logs`. Empty is this host: `http://localhost:4318`, for gRPC `http://localhost:4317`.',
      }),
      headers: record(headerName, headerValue, {
        default: {},
        doc: 'Headers of every request, such as a tenant. Not for secrets: `ktc config show` prints them.',
      }),
      headers_file: key(optional(secretPath), {
        default: '',
        doc: 'File with secret headers, such as `authorization: Bearer …`: one `name: value` a line, or a JSON object. Mode 0600 or narrower, owned by root or by `process.user`.',
      }),
      compression: key(oneOf('gzip', 'none'), { default: 'gzip', doc: 'Compression of what is sent.' }),
      timeout_ms: key(integer(100, 600_000), {
        default: 10_000,
        doc: 'How long the receiver may take for one request, in milliseconds. Then it is sent again over a new connection.',
      }),
      tls: tlsFiles('the receiver asks'),
    },
    file: {
      enabled: key(boolean, { default: false, doc: 'Append events to a file, one JSON object a line.' }),
      path: key(filePath, {
        default: '/var/log/ktc/events.ndjson',
        doc: 'That file. Its directory must exist.',
      }),
      max_bytes: key(integer(4096, 1_099_511_627_776), {
        default: 104_857_600,
        doc: 'The file is rotated before it grows beyond this many bytes.',
      }),
      max_files: key(integer(1, 1000), {
        default: 5,
        doc: 'Files kept, the current one included; the oldest is removed.',
      }),
    },
    stdout: {
      enabled: key(boolean, { default: false, doc: 'Print events.' }),
      format: key(oneOf('ndjson', 'table'), {
        default: 'ndjson',
        doc: 'One JSON object a line for programs, or a table for people.',
      }),
    },
  },
  process: {
    user: key(optional(name('_.-', 32)), {
      default: '',
      doc: 'User to become, by name or number, once everything is open that only root can open. Empty stays who starts it. Without root there is nothing to give up, and it does not count.',
    }),
    group: key(optional(name('_.-', 32)), {
      default: '',
      doc: "Group to become, by name or number; empty takes that of `process.user`. The user's other groups in `/etc/group` come with it.",
    }),
  },
  log: {
    level: key(oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'), {
      default: 'info',
      reloadable: true,
      doc: 'Least severity that is logged, to standard error.',
    }),
  },
  telemetry: {
    http: {
      enabled: key(boolean, { default: true, doc: 'Serve `/healthz`, `/readyz`, `/status` and `/metrics`.' }),
      address: key(address, {
        default: '127.0.0.1',
        doc: 'Address to listen on. Nobody has to log in there: leave it on loopback, or in a network of your own.',
      }),
      port: key(integer(0, 65_535), {
        default: 9474,
        doc: 'Port to listen on; 0 takes a free one and logs it.',
      }),
    },
  },
  shutdown: {
    timeout_s: key(integer(1, 600), {
      default: 10,
      doc: 'Seconds to deliver what is left when the agent is told to stop. What is then left stays in the spool; without one it is counted as dropped.',
    }),
  },
};

type Values<S> = { readonly [K in keyof S]: S[K] extends Key<infer T> ? T : Values<S[K]> };

/** The configuration of the agent, complete and checked. */
export interface AgentConfig extends Values<typeof schema> {}

type Paths<S> = {
  [K in keyof S & string]: S[K] extends Key<unknown> ? K : `${K}.${Paths<S[K]>}`;
}[keyof S & string];

/** The dotted path of a key, such as `batch.max_events`. */
export type ConfigPath = Paths<typeof schema>;

/** A part of the schema that holds keys and further sections. */
export interface Section {
  readonly [name: string]: Section | Key<unknown>;
}

export function isKey(node: Section | Key<unknown>): node is Key<unknown> {
  return typeof node['decode'] === 'function';
}

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
