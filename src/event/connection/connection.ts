/** What is known of one connection. */
import type { FilterReason } from '../../ledger/reasons.ts';
import { ABSENT, type TcpRecord } from '../../source/decode/record.ts';
import type { Task } from '../../source/host/tasks.ts';
import { formatIpv4, formatIpv6 } from '../address.ts';
import { communityId } from '../community-id.ts';
import { type Direction, STATE } from '../kinds.ts';
import type { Flow } from './flow.ts';
import type { PeerSummary } from './peer-summary.ts';

/** A state change whose flow was not complete when the kernel recorded it. */
export interface HeldRecord {
  readonly time: number;
  readonly cpu: number;
  readonly task: Task;
  readonly oldState: number;
  readonly newState: number;
}

export interface Connection {
  /** The socket's address in the kernel, or the request's while there is no socket. */
  readonly key: number;
  id: string;
  direction: Direction;
  /** Inode of the network namespace; ABSENT where the source does not give it. */
  readonly netns: number;
  flow: Flow | null;
  /** A record that had both ports has been seen (or the socket listens, and has but one). */
  flowComplete: boolean;
  /** The flow and the identifiers as JSON members, made once. */
  json: Uint8Array | null;
  /** For telling that a socket's memory has become another connection. */
  localPort: number;
  remotePort: number;
  remoteTail: number;
  /** By include/net/tcp_states.h; 0 is not known. */
  state: number;
  /** Trace times, NaN where not seen. */
  stateSince: number;
  synSentAt: number;
  /** Since when its life counts: established, or in use before that (Fast Open). */
  openSince: number;
  owner: Task | null;
  retransmits: number;
  /** How often records had been lost when its first state was seen; NaN where that was not seen. */
  lossesBefore: number;
  held: HeldRecord | null;
  /** Why its events are left out, decided for one generation of the exclusions. */
  exclusion: FilterReason | null;
  exclusionGeneration: number;
  /** Where its retransmits are counted. */
  summary: PeerSummary | null;
  /** Neighbours in the order of use. */
  older: Connection | null;
  newer: Connection | null;
}

export function createConnection(key: number, id: string, direction: Direction, netns = ABSENT): Connection {
  return {
    key,
    id,
    direction,
    netns,
    flow: null,
    flowComplete: false,
    json: null,
    localPort: 0,
    remotePort: 0,
    remoteTail: 0,
    state: 0,
    stateSince: Number.NaN,
    synSentAt: Number.NaN,
    openSince: Number.NaN,
    owner: null,
    retransmits: 0,
    lossesBefore: Number.NaN,
    held: null,
    exclusion: null,
    exclusionGeneration: -1,
    summary: null,
    older: null,
    newer: null,
  };
}

/** The task as the owner of a connection; null where it is not known, and for a thread of the kernel, which owns nothing. */
export function ownerOf(task: Task): Task | null {
  return task.pid === null || task.isKernel ? null : task;
}

function tailOf(record: TcpRecord): number {
  return record.bytes.readInt32LE(record.remoteAddress + record.addressLength - 4);
}

/** Whether a record can be of this connection: the kernel uses the memory of closed sockets again. */
export function isSameFlow(connection: Connection, record: TcpRecord): boolean {
  const { flow, flowComplete, localPort, remotePort } = connection;
  if (!flowComplete && (flow === null || flow.remoteAddress === null)) {
    // As long as the flow is not complete, only a peer that is known already can tell; a listening socket has none.
    return connection.state !== STATE.LISTEN || record.remotePort === 0;
  }
  return (
    (!flowComplete || localPort === record.localPort) &&
    remotePort === record.remotePort &&
    connection.remoteTail === tailOf(record)
  );
}

function isZero(bytes: Buffer, at: number, length: number): boolean {
  for (let index = 0; index < length; index++) if (bytes[at + index] !== 0) return false;
  return true;
}

/**
 * Whether a record tells the peer. A port of 0 does not say that it does not: connect(2) takes that port too, but no
 * peer has the address of all zeros (connect(2) to it reaches this host, `ip_route_output_key_hash_rcu`). A listening
 * socket that was connected before still has the address of its last peer.
 */
function tellsPeer({
  bytes,
  oldState,
  newState,
  remoteAddress,
  remotePort,
  addressLength,
}: TcpRecord): boolean {
  if (remotePort !== 0) return true;
  const isListening = oldState === STATE.LISTEN || newState === STATE.LISTEN;
  return !isListening && !isZero(bytes, remoteAddress, addressLength);
}

/** Takes both endpoints from a record; the local port only where the record tells it. */
export function setFlow(connection: Connection, record: TcpRecord, tellsLocalPort: boolean): void {
  const { bytes, addressLength, localAddress, remoteAddress, localPort, remotePort } = record;
  const format = addressLength === 4 ? formatIpv4 : formatIpv6;
  const peerKnown = tellsPeer(record);
  // A child whose peer is not set yet has the address of its listener, which need not be its own.
  const tellsLocalAddress =
    peerKnown || record.newState !== STATE.SYN_RECV || !isZero(bytes, localAddress, addressLength);
  connection.localPort = localPort;
  connection.remotePort = remotePort;
  connection.remoteTail = tailOf(record);
  connection.json = null;
  connection.flow = {
    version: addressLength === 4 ? 4 : tellsLocalAddress ? 6 : null,
    localAddress: tellsLocalAddress ? format(bytes, localAddress) : null,
    localPort: tellsLocalPort ? localPort : null,
    remoteAddress: peerKnown ? format(bytes, remoteAddress) : null,
    remotePort: peerKnown ? remotePort : null,
    communityId:
      tellsLocalPort && peerKnown
        ? communityId(bytes, localAddress, remoteAddress, addressLength, localPort, remotePort)
        : null,
  };
}
