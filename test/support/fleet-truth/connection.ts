/** One connection as the kernels of both its ends record it. */

import { parseAddress } from '../../../src/event/address.ts';
import { communityId } from '../../../src/event/community-id.ts';
import type { Happening } from './event.ts';
import { COMMS, type FleetHost, HOST_NETNS } from './plan.ts';
import type { Random } from './random.ts';

export interface End {
  /** Null outside of the fleet. */
  readonly host: FleetHost | null;
  readonly address: string;
  readonly port: number;
  /** Segments that it has to send again. */
  readonly retransmits: number;
}

export interface Connection {
  readonly client: End;
  readonly server: End;
  readonly startUs: number;
  readonly rttUs: number;
  readonly latencyUs: number;
  /** Established to closed. */
  readonly durationUs: number;
  readonly bytesToServer: number;
  readonly bytesToClient: number;
  /** `close`: the client closes, and then the server; `leak`: the server never does; `reset`: the server resets it. */
  readonly ending: 'close' | 'leak' | 'reset';
}

const SEGMENT_BYTES = 1448;
const RETRANSMIT_KINDS = ['rto', 'rto', 'fast', 'fast', 'fast', 'tlp'] as const;

function communityIdOf({ client, server }: Connection): string {
  const [from, to] = [parseAddress(client.address), parseAddress(server.address)];
  if (from === null || to === null) throw new TypeError(`no address: ${client.address}, ${server.address}`);
  const length = from.length === 4 ? 4 : 16;
  const bytes = Buffer.concat([from, to]);
  return communityId(bytes, 0, length, length, client.port, server.port);
}

/** The members of the envelope that every event of this end has. */
export function endValues(
  own: End & { readonly host: FleetHost },
  peer: Pick<End, 'address' | 'port'>,
  rest: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return {
    pid: 1000 + own.host.index,
    comm: COMMS[own.host.service],
    pid_origin: 'owner',
    netns: own.host.sourceKind === 'module' ? HOST_NETNS : null,
    ip_version: own.address.includes(':') ? 6 : 4,
    local_address: own.address,
    local_port: own.port,
    remote_address: peer.address,
    remote_port: peer.port,
    ...rest,
  };
}

interface Measures {
  readonly srtt_us: number;
  readonly rttvar_us: number;
  readonly congestion_window: number;
  readonly slow_start_threshold: number | null;
}

/** The events of one end. `connectionId` is that of its host. */
function eventsOfEnd(
  connection: Connection,
  side: 'client' | 'server',
  common: Readonly<Record<string, unknown>>,
  random: Random,
  isMeasured: boolean,
): Happening[] {
  const { startUs, rttUs, latencyUs, durationUs, ending } = connection;
  const end = connection[side];
  const [sent, received] =
    side === 'client'
      ? [connection.bytesToServer, connection.bytesToClient]
      : [connection.bytesToClient, connection.bytesToServer];
  const openedUs = startUs + latencyUs;
  const closedUs = openedUs + durationUs;
  const happenings: Happening[] = [];
  const add = (us: number, kind: Happening['kind'], values: Record<string, unknown>): void => {
    happenings.push({ us: Math.round(us), kind, values: { ...common, ...values } });
  };
  const state = (us: number, from: string, to: string, spentUs: number | null): void =>
    add(us, 'tcp_state', {
      ...{ old_state: from, new_state: to, duration_us: spentUs === null ? null : Math.round(spentUs) },
    });
  const measures = (): Measures | Record<string, never> =>
    isMeasured
      ? {
          srtt_us: Math.round(random.around(rttUs, 0.2)),
          rttvar_us: Math.round(rttUs / 4),
          congestion_window: end.retransmits > 0 ? random.integer(2, 9) : 10,
          slow_start_threshold: end.retransmits > 0 ? random.integer(2, 8) : null,
        }
      : {};

  if (side === 'client') {
    state(startUs, 'CLOSE', 'SYN_SENT', null);
    add(startUs, 'tcp_connect', {});
    state(openedUs, 'SYN_SENT', 'ESTABLISHED', latencyUs);
    add(openedUs, 'tcp_connect_latency', { latency_us: Math.round(latencyUs) });
  } else {
    state(openedUs, 'SYN_RECV', 'ESTABLISHED', rttUs);
    add(openedUs, 'tcp_accept', {});
  }
  for (let count = 0; count < end.retransmits; count++) {
    add(openedUs + durationUs * random.fraction() * 0.9, 'tcp_retransmit', {
      state: 'ESTABLISHED',
      retransmit_kind: isMeasured ? random.pick(RETRANSMIT_KINDS) : 'unknown',
      ...(isMeasured && {
        sequence: random.integer(0, 0xffffffff),
        length: random.integer(1, SEGMENT_BYTES),
      }),
      ...measures(),
      ...(isMeasured && { total_retransmits: count }),
    });
  }
  const life = (): void =>
    add(closedUs, 'tcp_life', {
      duration_us: Math.round(durationUs),
      ...(isMeasured && {
        bytes_sent: sent,
        bytes_received: received,
        segments_sent: 3 + Math.ceil(sent / SEGMENT_BYTES) + end.retransmits,
        segments_received: 3 + Math.ceil(received / SEGMENT_BYTES),
      }),
      retransmits: end.retransmits,
      ...measures(),
      ...(isMeasured && { total_retransmits: end.retransmits }),
    });

  const finUs = Math.max(openedUs, closedUs - rttUs);
  if (ending === 'reset') {
    add(closedUs, 'tcp_reset', {
      state: 'ESTABLISHED',
      reset_direction: side === 'client' ? 'received' : 'sent',
    });
    state(closedUs, 'ESTABLISHED', 'CLOSE', durationUs);
    life();
  } else if (side === 'client') {
    state(finUs, 'ESTABLISHED', 'FIN_WAIT1', finUs - openedUs);
    state(finUs, 'FIN_WAIT1', 'FIN_WAIT2', 0);
    state(closedUs, 'FIN_WAIT2', 'CLOSE', closedUs - finUs);
    life();
  } else {
    state(finUs, 'ESTABLISHED', 'CLOSE_WAIT', finUs - openedUs);
    if (ending === 'leak') return happenings;
    state(finUs, 'CLOSE_WAIT', 'LAST_ACK', 0);
    state(closedUs, 'LAST_ACK', 'CLOSE', closedUs - finUs);
    life();
  }
  return happenings;
}

/** What each end that is in the fleet records, with the identifier its host gives the connection. */
export function connectionEvents(
  connection: Connection,
  random: Random,
  connectionIdOf: (host: FleetHost) => string,
): { readonly host: FleetHost; readonly happenings: Happening[] }[] {
  const community = communityIdOf(connection);
  return (['client', 'server'] as const).flatMap((side) => {
    const { host } = connection[side];
    if (host === null) return [];
    const common = endValues(
      { ...connection[side], host },
      connection[side === 'client' ? 'server' : 'client'],
      {
        connection_id: connectionIdOf(host),
        community_id: community,
        direction: side === 'client' ? 'active' : 'passive',
      },
    );
    const isMeasured = host.sourceKind === 'module';
    return [{ host, happenings: eventsOfEnd(connection, side, common, random, isMeasured) }];
  });
}
