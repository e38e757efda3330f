/** What a fleet of any number of hosts needs: each sum with the number that it comes from. */
import { figure } from '../report.ts';
import { bytes, type FleetFigures, hoursOrMinutes, megabits, otherFigures, whole } from './figures.ts';

/** What the sums assume; an operator has own numbers. */
export const ASSUMED = {
  eventsPerHost: 10,
  replicas: 3,
  brokerCores: 8,
  /** Of a core that is always there, so that a broker that fails is carried by the others. */
  busy: 0.5,
  kafkaDays: 1,
  partitionsPerConsumer: 4,
  linkGigabits: 1,
  forks: 100,
  secondsPerHost: 60,
  /** One canary, 10 %, 30 %, 100 %: a gate after each (ansible/playbooks/rollout.yml). */
  gates: 4,
  soakSeconds: 120,
  nightHours: 8,
} as const;

const DAY_S = 86_400;

/** One line of the table of sums: its name, how it is made, its value for a number of hosts, and what lowers it. */
export interface Sum {
  readonly what: string;
  readonly how: string;
  readonly of: (hosts: number) => string;
  readonly knob: string;
}

/** Everything that grows with the number of hosts, as functions of it, and the measured numbers behind them. */
function ratesOf(measured: FleetFigures) {
  const other = otherFigures();
  const { eventsPerHost, busy, brokerCores, forks, gates } = ASSUMED;
  const connectionsPerHost = measured.connections / measured.hosts;
  const roundsPerSecond = 1000 / measured.lingerMs;
  const requestUs = (measured.brokerCpuSeconds * 1e6) / (measured.hosts * measured.seconds * roundsPerSecond);
  const events = (hosts: number) => hosts * eventsPerHost;
  const requests = (hosts: number) => hosts * roundsPerSecond;
  const brokers = (hosts: number) =>
    Math.max(3, Math.ceil((requests(hosts) * requestUs) / 1e6 / busy / brokerCores));
  const consumers = (hosts: number) => Math.ceil((events(hosts) * other.rowCpuUs) / 1e6 / busy);
  return {
    ...other,
    ...{ connectionsPerHost, requestUs, events, requests, brokers, consumers },
    connectionBytes: (measured.brokerBytes - measured.brokerBytesIdle) / measured.connections,
    logBytes: measured.logBytesPerEvent,
    roundSeconds: measured.lingerMs / 1000,
    partitions(hosts: number) {
      const wanted = Math.max(12, consumers(hosts) * ASSUMED.partitionsPerConsumer);
      return Math.ceil(wanted / brokers(hosts)) * brokers(hosts);
    },
    packageBytes: (hosts: number) => hosts * other.packageMb * 1e6,
    /** With so many controllers at a time, in seconds. */
    rollout: (hosts: number, controllers: number) =>
      (hosts / forks / controllers) * ASSUMED.secondsPerHost + gates * ASSUMED.soakSeconds,
  };
}

type Rates = ReturnType<typeof ratesOf>;

function brokerSums({
  requestUs,
  roundSeconds,
  connectionsPerHost,
  connectionBytes,
  ...rates
}: Rates): Sum[] {
  const { eventsPerHost, busy, brokerCores, partitionsPerConsumer } = ASSUMED;
  return [
    {
      what: 'events per second',
      how: `hosts × ${eventsPerHost}, assumed`,
      of: (hosts) => whole(rates.events(hosts)),
      knob: '`events.*`, `exclude.*`, `limits`; `summary.interval_s` in the place of single retransmits',
    },
    {
      what: 'requests per second',
      how: `hosts ÷ ${roundSeconds} s, a round as measured`,
      of: (hosts) => whole(rates.requests(hosts)),
      knob: '`batch.linger_ms`: its default of 240 makes up to eight times as many',
    },
    {
      what: 'brokers',
      how: `requests per second × ${figure(requestUs)} µs of broker CPU per request ÷ ${busy} ÷ ${brokerCores} cores; 3 at least`,
      of: (hosts) => whole(rates.brokers(hosts)),
      knob: '`batch.linger_ms`, `sink.kafka.format` `ndjson`',
    },
    {
      what: 'connections to all brokers',
      how: `hosts × ${figure(connectionsPerHost)} per agent`,
      of: (hosts) => {
        const connections = hosts * connectionsPerHost;
        return `${whole(connections)}, ${whole(connections / rates.brokers(hosts))} per broker`;
      },
      knob: 'one topic instead of `ktc.{event}`; more brokers; raise `LimitNOFILE` of the brokers',
    },
    {
      what: 'memory of the brokers for them',
      how: `connections × ${bytes(connectionBytes)}, an upper bound: the heap grew too`,
      of: (hosts) => bytes(hosts * connectionsPerHost * connectionBytes),
      knob: 'as connections',
    },
    {
      what: 'partitions',
      how: `consumer threads × ${partitionsPerConsumer}, as a host belongs to one partition and hosts differ; 12 at least; a multiple of the brokers`,
      of: (hosts) => whole(rates.partitions(hosts)),
      knob: 'choose them before the start: more partitions move hosts',
    },
  ];
}

function byteSums({ logBytes, rowBytes, rowCpuUs, events, consumers }: Rates): Sum[] {
  const { replicas, busy, kafkaDays } = ASSUMED;
  const perSecond = (hosts: number) => events(hosts) * logBytes;
  return [
    {
      what: 'into Kafka',
      how: `events per second × ${figure(logBytes)} bytes, compressed`,
      of: (hosts) => megabits(perSecond(hosts)),
      knob: '`sink.kafka.compression` `zstd`; `batch.linger_ms`: larger batches compress better',
    },
    {
      what: 'between brokers, and to one consumer',
      how: `${replicas - 1} more replicas, and each consumer group once`,
      of: (hosts) => `${megabits(perSecond(hosts) * (replicas - 1))}, ${megabits(perSecond(hosts))}`,
      knob: 'as above; fewer consumer groups',
    },
    {
      what: 'disk of Kafka',
      how: `events × ${figure(logBytes)} bytes × ${replicas} replicas × ${kafkaDays} day`,
      of: (hosts) => bytes(perSecond(hosts) * DAY_S * kafkaDays * replicas),
      knob: '`retention.ms` of the topic',
    },
    {
      what: 'consumer threads of ClickHouse',
      how: `events per second × ${rowCpuUs} µs ÷ ${busy}`,
      of: (hosts) => whole(consumers(hosts)),
      knob: '`events.*`',
    },
    {
      what: 'rows per day',
      how: `events per second × ${whole(DAY_S)} s`,
      of: (hosts) => `${figure((events(hosts) * DAY_S) / 1e9)} billion`,
      knob: '`events.*`, `limits`',
    },
    {
      what: 'database per day',
      how: `rows × ${rowBytes} bytes`,
      of: (hosts) => bytes(events(hosts) * DAY_S * rowBytes),
      knob: '`--ttl-days`; `events.tcp_state` false, which is more than half of the events',
    },
    {
      what: 'rows of host_status per day',
      how: 'hosts × one per minute',
      of: (hosts) => `${figure((hosts * DAY_S) / 60 / 1e6)} million`,
      knob: '`host_status.interval_s`',
    },
  ];
}

function rolloutSums({ packageMb, packageBytes, rollout }: Rates): Sum[] {
  const { forks, gates, linkGigabits, secondsPerHost, soakSeconds, nightHours } = ASSUMED;
  const controllers = (hosts: number) =>
    Math.ceil((hosts * secondsPerHost) / forks / (nightHours * 3600 - gates * soakSeconds));
  return [
    {
      what: 'packages for one release',
      how: `hosts × ${packageMb} MB, the tarball that the role brings`,
      of: (hosts) => bytes(packageBytes(hosts)),
      knob: 'a mirror in each data centre, see below',
    },
    {
      what: 'the same from one controller',
      how: `at ${linkGigabits} Gbit/s`,
      of: (hosts) => hoursOrMinutes((packageBytes(hosts) * 8) / (linkGigabits * 1e9)),
      knob: 'as above',
    },
    {
      what: 'roll-out with one controller',
      how: `hosts ÷ ${forks} forks × ${secondsPerHost} s, assumed, + ${gates} gates × ${soakSeconds} s`,
      of: (hosts) => hoursOrMinutes(rollout(hosts, 1)),
      knob: '`forks`; `ktc_agent_rollout_waves`',
    },
    {
      what: `controllers for a roll-out within ${nightHours} h`,
      how: 'the same, each with its part of the inventory',
      of: (hosts) => `${whole(controllers(hosts))}, ${hoursOrMinutes(rollout(hosts, controllers(hosts)))}`,
      knob: '`forks`, as far as CPU and memory of a controller allow',
    },
  ];
}

/** In the order of the way of an event, then the roll-out. */
export function sumsOf(measured: FleetFigures): Sum[] {
  const rates = ratesOf(measured);
  return [...brokerSums(rates), ...byteSums(rates), ...rolloutSums(rates)];
}
