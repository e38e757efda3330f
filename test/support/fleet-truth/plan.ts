/** The fleet that never existed: 200 hosts in 12 racks, who talks to whom, and the faults that are planted in it. */
import { createRandom } from './random.ts';

export const HOST_COUNT = 200;
export const RACKS = Array.from({ length: 12 }, (_, index) => `r${String(index + 1).padStart(2, '0')}`);
export const DURATION_MINUTES = 120;
export const CPU_COUNT = 4;

export const SERVICES = ['web', 'api', 'cache', 'db', 'queue', 'batch'] as const;
export type Service = (typeof SERVICES)[number];

export interface FleetHost {
  readonly index: number;
  readonly name: string;
  readonly hostId: string;
  readonly bootId: string;
  readonly kernel: string;
  readonly rack: string;
  readonly datacenter: string;
  readonly service: Service;
  readonly role: string;
  readonly owner: string;
  /** Its own IPv4 and IPv6 address. Shared and reused ones are in `PLANTED`. */
  readonly ipv4: string;
  readonly ipv6: string;
  readonly sourceKind: 'module' | 'tracepoints';
  readonly agentVersion: string;
  readonly configHash: string;
}

/** Each host's service, in proportion. */
const SERVICE_TURN: readonly Service[] = [
  ...(['web', 'api', 'web', 'db', 'api', 'cache', 'web', 'queue', 'api', 'web'] as const),
  ...(['db', 'api', 'web', 'cache', 'api', 'web', 'batch', 'db', 'api', 'web'] as const),
];
const ROLES: Readonly<Record<Service, string>> = {
  ...{ web: 'frontend', api: 'backend', batch: 'backend', cache: 'storage', db: 'storage', queue: 'storage' },
};
const OWNERS: Readonly<Record<Service, string>> = {
  ...{ web: 'shop', api: 'shop', batch: 'billing', cache: 'platform', db: 'platform', queue: 'platform' },
};
export const COMMS: Readonly<Record<Service, string>> = {
  ...{
    web: 'nginx',
    api: 'api-server',
    cache: 'memcached',
    db: 'postgres',
    queue: 'beam.smp',
    batch: 'batchd',
  },
};

/** Who calls whom, how often in proportion, and by which version of IP. */
export interface Call {
  readonly from: Service;
  readonly to: Service;
  readonly port: number;
  readonly weight: number;
  readonly ipVersion: 4 | 6;
}
export const CALLS: readonly Call[] = [
  { from: 'web', to: 'api', port: 8080, weight: 40, ipVersion: 4 },
  { from: 'api', to: 'db', port: 5432, weight: 20, ipVersion: 4 },
  { from: 'api', to: 'cache', port: 11211, weight: 15, ipVersion: 6 },
  { from: 'web', to: 'cache', port: 11211, weight: 10, ipVersion: 6 },
  { from: 'api', to: 'queue', port: 5672, weight: 8, ipVersion: 4 },
  { from: 'batch', to: 'db', port: 5432, weight: 4, ipVersion: 4 },
  { from: 'batch', to: 'queue', port: 5672, weight: 3, ipVersion: 4 },
];

/** Clients outside of the fleet, which only the web hosts see. */
export const EXTERNAL_CLIENTS = Array.from({ length: 100 }, (_, index) => `203.0.113.${index + 1}`);
export const WEB_PORT = 443;

/** What an analyst is to find. Minutes count from the start of the time that the fleet is watched. */
export const PLANTED = {
  /** Segments from the first rack to the second are lost, from `fromMinute` on. */
  badRackPair: { from: 'r03', to: 'r09', fromMinute: 40 },
  /** Its servers take 40 ms longer to accept. */
  slowService: 'db',
  /** Its servers never close what their clients closed. */
  leakingService: 'queue',
  /** Sends nothing more from this minute on. */
  silentHost: { index: 92, fromMinute: 75 },
  /** One client outside resets connections of one web host, and is reset by it. */
  resetStorm: { hostIndex: 6, peer: '198.51.100.66', fromMinute: 80, toMinute: 83 },
  /** Its listen queue is full for some minutes; only the kernel's counters say so. */
  listenOverflow: { hostIndex: 45, fromMinute: 50, toMinute: 70, perMinute: 13 },
  /** A bad cable: its interface counts errors. */
  badCable: { hostIndex: 87, fromMinute: 20, errorsPerMinute: 5 },
  /** Segments reach it out of order. */
  reordering: { hostIndex: 64, fromMinute: 30, perMinute: 7 },
  /** Nobody answers there, and batch hosts try. */
  unreachable: { address: '10.200.0.9', port: 9100, service: 'batch' },
  /** Two db hosts have it at the same time (VIP): whose connection it was cannot be told. */
  sharedAddress: { address: '10.99.0.1', hostIndexes: [3, 23] },
  /** One host has it first, another one later; nobody has it in between. */
  reusedAddress: {
    address: '10.98.0.7',
    first: { hostIndex: 10, toMinute: 55 },
    second: { hostIndex: 30, fromMinute: 65 },
  },
  /** `api` gets version 2.4.0, its configuration changes, and it calls something it never called before. */
  deploy: { service: 'api', minute: 60, address: '192.0.2.80', port: 9092, before: '2.3.0', after: '2.4.0' },
  /** Its connections to `api` end within milliseconds, and there are many. */
  shortLived: { hostIndex: 16 },
  /** Ends its agent and starts another one: a new session with ordinals from 0. */
  restarted: { hostIndex: 40, minute: 50 },
  /** Its limit keeps retransmits back, which summaries count. */
  limited: { hostIndex: 158 },
  /** The kernel had no room for records: counted by the agent, and by the kernel in its counters. */
  overrun: { hostIndex: 111, minute: 90, records: 25 },
  /** Emitted, and dropped because the spool was full: counted by the agent. */
  spoolFull: { hostIndex: 70, cpu: 1, firstOrdinal: 20, count: 12 },
  /** Acknowledged, and gone before they reached the database: nobody counted them. */
  removed: [
    { hostIndex: 21, cpu: 2, firstOrdinal: 10, count: 17, step: 1 },
    { hostIndex: 57, cpu: 0, firstOrdinal: 40, count: 40, step: 1 },
    { hostIndex: 133, cpu: 3, firstOrdinal: 3, count: 9, step: 4 },
  ],
} as const;

const twoDigits = (value: number): string => String(value).padStart(2, '0');

function createHost(index: number): FleetHost {
  const random = createRandom(0x5eed + index);
  const rackIndex = index % RACKS.length;
  const datacenter = rackIndex < RACKS.length / 2 ? 'a' : 'b';
  const service = SERVICE_TURN[index % SERVICE_TURN.length] as Service;
  const uuid = [8, 4, 4, 4, 12].map((digits) => random.hex(digits)).join('-');
  return {
    index,
    name: `${service}-${twoDigits(index)}.${datacenter}.example.net`,
    hostId: random.hex(32),
    bootId: uuid,
    kernel: index % 25 === 24 ? '4.18.0-553.el8_10.x86_64' : '3.10.0-862.el7.x86_64',
    rack: RACKS[rackIndex] as string,
    datacenter,
    service,
    role: ROLES[service],
    owner: OWNERS[service],
    ipv4: `10.${datacenter === 'a' ? 1 : 2}.${rackIndex + 1}.${index + 1}`,
    ipv6: `2001:db8:${(rackIndex + 1).toString(16)}::${(index + 1).toString(16)}`,
    sourceKind: index % 50 === 49 ? 'tracepoints' : 'module',
    agentVersion: index % 40 === 39 ? '0.0.9' : '0.1.0',
    configHash: index === 199 ? 'badc0ffee0ddf00d' : `00000000000000${twoDigits(SERVICES.indexOf(service))}`,
  };
}

export const HOSTS: readonly FleetHost[] = Array.from({ length: HOST_COUNT }, (_, index) =>
  createHost(index),
);

export function hostAt(index: number): FleetHost {
  const host = HOSTS[index];
  if (host === undefined) throw new RangeError(`no host ${index}`);
  return host;
}

export function hostsOf(service: Service): readonly FleetHost[] {
  return HOSTS.filter((host) => host.service === service);
}

/** Whether the host is heard of in that minute. */
export function isHeard(host: FleetHost, minute: number): boolean {
  return host.index !== PLANTED.silentHost.index || minute < PLANTED.silentHost.fromMinute;
}

/** The addresses that a host has in that minute. */
export function addressesOf(host: FleetHost, minute: number): string[] {
  const { sharedAddress, reusedAddress } = PLANTED;
  const addresses = [host.ipv4, host.ipv6];
  if (sharedAddress.hostIndexes.some((index) => index === host.index)) addresses.push(sharedAddress.address);
  const { first, second } = reusedAddress;
  if (host.index === first.hostIndex && minute < first.toMinute) addresses.push(reusedAddress.address);
  if (host.index === second.hostIndex && minute >= second.fromMinute) addresses.push(reusedAddress.address);
  return addresses;
}

const ownerByAddress = new Map(HOSTS.flatMap((host) => [host.ipv4, host.ipv6].map((text) => [text, host])));

/** Whose address it is in that minute: a host of the fleet, several, or nobody's. */
export function ownerOf(address: string, minute: number): FleetHost | 'ambiguous' | null {
  if (address === PLANTED.sharedAddress.address) return 'ambiguous';
  const { first, second } = PLANTED.reusedAddress;
  if (address === PLANTED.reusedAddress.address) {
    if (minute < first.toMinute) return hostAt(first.hostIndex);
    return minute >= second.fromMinute ? hostAt(second.hostIndex) : null;
  }
  return ownerByAddress.get(address) ?? null;
}

export function labelsOf(host: FleetHost, minute: number): Record<string, string> {
  const { datacenter, rack, role, service, owner } = host;
  const { deploy } = PLANTED;
  const version = minute < deploy.minute ? deploy.before : deploy.after;
  return { datacenter, rack, role, service, owner, ...(service === deploy.service && { version }) };
}

/** Inode of the network namespace that every host of the fleet was booted with. */
export const HOST_NETNS = 4_026_531_992;
