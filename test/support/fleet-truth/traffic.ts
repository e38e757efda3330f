/** Which connections are opened in a minute, and what is planted in them. */
import { type Connection, type End, endValues } from './connection.ts';
import type { Happening } from './event.ts';
import {
  CALLS,
  type Call,
  EXTERNAL_CLIENTS,
  type FleetHost,
  hostAt,
  hostsOf,
  isHeard,
  PLANTED,
  WEB_PORT,
} from './plan.ts';
import type { Random } from './random.ts';

const MINUTE_US = 60_000_000;
const WEB_WEIGHT = 25;
const SHORT_LIVED_WEIGHT = 12;
const DEPLOYED_WEIGHT = 3;
const SHARED_SHARE = 0.1;
const REUSED_SHARE = 0.05;

type Choice = Call | 'external' | 'short_lived' | 'deployed';

const CHOICES: readonly (readonly [Choice, number])[] = [
  ...CALLS.map((call) => [call, call.weight] as const),
  ['external', WEB_WEIGHT],
  ['short_lived', SHORT_LIVED_WEIGHT],
  ['deployed', DEPLOYED_WEIGHT],
];
const TOTAL_WEIGHT = CHOICES.reduce((sum, [, weight]) => sum + weight, 0);

function choose(random: Random): Choice {
  let rest = random.fraction() * TOTAL_WEIGHT;
  for (const [choice, weight] of CHOICES) {
    rest -= weight;
    if (rest < 0) return choice;
  }
  return 'external';
}

function rttOf(client: FleetHost | null, server: FleetHost | null): number {
  if (client === null || server === null) return 20_000;
  if (client.datacenter !== server.datacenter) return 2000;
  return client.rack === server.rack ? 100 : 300;
}

type Bare = Omit<End, 'retransmits'>;

/** The ends of a call; the address of the server may be one that is shared or was used by another host. */
function endsOf(choice: Choice, minute: number, random: Random): { client: Bare; server: Bare } | null {
  const port = random.integer(32768, 60999);
  const anyOf = (service: FleetHost['service']): FleetHost =>
    random.pick(hostsOf(service).filter((host) => isHeard(host, minute)));
  if (choice === 'external') {
    const web = anyOf('web');
    return {
      client: { host: null, address: random.pick(EXTERNAL_CLIENTS), port },
      server: { host: web, address: web.ipv4, port: WEB_PORT },
    };
  }
  if (choice === 'short_lived') {
    const client = hostAt(PLANTED.shortLived.hostIndex);
    const server = anyOf('api');
    return {
      client: { host: client, address: client.ipv4, port },
      server: { host: server, address: server.ipv4, port: 8080 },
    };
  }
  if (choice === 'deployed') {
    const { deploy } = PLANTED;
    const client = anyOf(deploy.service);
    return minute < deploy.minute
      ? null
      : {
          client: { host: client, address: client.ipv4, port },
          server: { host: null, address: deploy.address, port: deploy.port },
        };
  }
  const client = anyOf(choice.from);
  let server = anyOf(choice.to);
  let address = choice.ipVersion === 4 ? server.ipv4 : server.ipv6;
  const { sharedAddress, reusedAddress } = PLANTED;
  const lot = random.fraction();
  if (choice.from === 'api' && choice.to === 'db' && lot < SHARED_SHARE) {
    server = hostAt(random.pick(sharedAddress.hostIndexes));
    address = sharedAddress.address;
  } else if (choice.from === 'api' && choice.to === 'db' && lot < SHARED_SHARE + REUSED_SHARE) {
    const { first, second } = reusedAddress;
    if (minute < first.toMinute - 1 || minute >= second.fromMinute + 1) {
      server = hostAt(minute < first.toMinute ? first.hostIndex : second.hostIndex);
      address = reusedAddress.address;
    }
  }
  return {
    client: { host: client, address: choice.ipVersion === 4 ? client.ipv4 : client.ipv6, port },
    server: { host: server, address, port: choice.port },
  };
}

/** How many segments of `own` are lost on the way to `peer`. */
function lossesOf(own: Bare, peer: Bare, minute: number, random: Random): number {
  const { badRackPair } = PLANTED;
  const isBad =
    own.host?.rack === badRackPair.from &&
    peer.host?.rack === badRackPair.to &&
    minute >= badRackPair.fromMinute;
  if (isBad) return random.integer(4, 12);
  return random.fraction() < 0.02 ? random.integer(1, 3) : 0;
}

/** The last moment that both ends of a connection can tell of. */
function lastUs(ends: readonly Bare[], minute: number, startUs: number, endUs: number): number {
  const { restarted, silentHost, reusedAddress } = PLANTED;
  const limits = ends.map(({ host, address }) => {
    if (host?.index === restarted.hostIndex && minute < restarted.minute) return restarted.minute;
    if (host?.index === silentHost.index) return silentHost.fromMinute;
    if (address === reusedAddress.address && minute < reusedAddress.first.toMinute) {
      return reusedAddress.first.toMinute - 1;
    }
    return Number.POSITIVE_INFINITY;
  });
  return Math.min(endUs, ...limits.map((limit) => startUs + limit * MINUTE_US)) - 10_000;
}

/** A connection that begins in the minute; null when the lot fell on one that nobody opens then. */
export function createConnection(
  minute: number,
  startUs: number,
  endUs: number,
  random: Random,
): Connection | null {
  const choice = choose(random);
  const ends = endsOf(choice, minute, random);
  if (ends === null || ends.client.host === ends.server.host) return null;
  const { client, server } = ends;
  const openUs = startUs + minute * MINUTE_US + random.integer(0, MINUTE_US - 500_000);
  const rttUs = rttOf(client.host, server.host);
  const isSlow = server.host?.service === PLANTED.slowService;
  const latencyUs = random.around(rttUs, 0.2) + (isSlow ? random.around(40_000, 0.2) : 0);
  const isShort = choice === 'short_lived';
  const roomUs = lastUs([client, server], minute, startUs, endUs) - openUs - latencyUs;
  if (roomUs < 1000) return null;
  const durationUs = Math.min(roomUs, isShort ? random.integer(2000, 8000) : random.around(3e6, 1.5));
  const isLeaked = server.host?.service === PLANTED.leakingService && random.fraction() < 0.3;
  const isReset = random.fraction() < 0.01;
  return {
    client: { ...client, retransmits: lossesOf(client, server, minute, random) },
    server: { ...server, retransmits: lossesOf(server, client, minute, random) },
    startUs: openUs,
    rttUs,
    latencyUs,
    durationUs,
    bytesToServer: Math.round(isShort ? 300 : random.around(20_000, 1.2)),
    bytesToClient: Math.round(isShort ? 300 : random.around(60_000, 1.2)),
    ending: isLeaked ? 'leak' : isReset ? 'reset' : 'close',
  };
}

export interface Planned {
  readonly host: FleetHost;
  readonly happenings: readonly Happening[];
}

/** Connections to an address where nobody answers: SYN, three times again, and given up after 15 s. */
export function unreachableAttempts(
  minute: number,
  startUs: number,
  random: Random,
  connectionIdOf: (host: FleetHost) => string,
): Planned[] {
  const { address, port, service } = PLANTED.unreachable;
  const callers = hostsOf(service).filter((host) => Math.floor(host.index / 20) % 10 === minute % 10);
  return callers.map((host) => {
    const us = startUs + minute * MINUTE_US + random.integer(0, 30_000_000);
    const own = { host, address: host.ipv4, port: random.integer(32768, 60999), retransmits: 3 };
    const common = endValues(
      own,
      { address, port },
      { connection_id: connectionIdOf(host), direction: 'active' },
    );
    const at = (afterMs: number, kind: Happening['kind'], values: Record<string, unknown>): Happening => ({
      ...{ us: us + afterMs * 1000, kind, values: { ...common, ...values } },
    });
    const syn = { state: 'SYN_SENT', retransmit_kind: 'syn' };
    return {
      host,
      happenings: [
        at(0, 'tcp_state', { old_state: 'CLOSE', new_state: 'SYN_SENT' }),
        at(0, 'tcp_connect', {}),
        ...[1000, 3000, 7000].map((afterMs) => at(afterMs, 'tcp_retransmit', syn)),
        at(15_000, 'tcp_state', { old_state: 'SYN_SENT', new_state: 'CLOSE', duration_us: 15_000_000 }),
      ],
    };
  });
}

/** The resets of the storm in this minute: seven of ten are sent by the host, the others come from the peer. */
export function resetStorm(
  minute: number,
  startUs: number,
  count: number,
  random: Random,
  connectionIdOf: (host: FleetHost) => string,
): Planned[] {
  const { hostIndex, peer, fromMinute, toMinute } = PLANTED.resetStorm;
  if (minute < fromMinute || minute >= toMinute) return [];
  const host = hostAt(hostIndex);
  const happenings = Array.from({ length: count }, (_, index): Happening => {
    const values = endValues(
      { host, address: host.ipv4, port: WEB_PORT, retransmits: 0 },
      { address: peer, port: random.integer(1024, 65535) },
      { connection_id: connectionIdOf(host), direction: 'passive' },
    );
    const us = startUs + minute * MINUTE_US + random.integer(0, MINUTE_US - 500_000);
    const reset = { state: 'ESTABLISHED', reset_direction: index % 10 < 7 ? 'sent' : 'received' };
    return { us, kind: 'tcp_reset', values: { ...values, ...reset } };
  });
  return [{ host, happenings }];
}
