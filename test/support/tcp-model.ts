/**
 * A model of the sockets of one host: it walks the kernel's own diagram (tcp-walk.ts) at random and gives the records that
 * the kernel would write, with what is true of them.
 */
import type { TcpState } from '../../src/event/kinds.ts';
import type { ProbeName } from '../../src/source/probes.ts';
import type { Random } from './fleet-truth/random.ts';
import { MILLISECOND, type RecordFields, SECOND } from './record-builder.ts';
import { type Maker, NEXT } from './tcp-walk.ts';

export interface ModelShape {
  readonly source: 'tracepoints' | 'module';
  /** The kernel sets the peer of a child only after SYN_RECV, as Linux 6.1 does. */
  readonly peerComesLater: boolean;
}

/** What is true of a socket from its first state to CLOSE; the next one of the same socket is another. */
export interface Life {
  readonly kind: 'active' | 'passive' | 'listening';
  /** Null where the kernel found no free one. */
  localPort: number | null;
  readonly remotePort: number | null;
  readonly changes: { readonly to: TcpState; readonly time: number; readonly isRecorded: boolean }[];
  /** Threads that have called connect, listen, accept, shutdown or close. */
  readonly callers: Set<number>;
  /** States in which accept(2) gave it away. */
  readonly accepts: { readonly state: TcpState; readonly time: number }[];
  retransmits: number;
}

/** A record, and the life that it is of; null for one of no socket, or of TIME_WAIT. */
export interface Given {
  readonly probe: ProbeName;
  readonly fields: RecordFields & { readonly time: number };
  readonly life: Life | null;
}

interface Socket {
  readonly address: number;
  state: TcpState;
  /** The port that the program has bound; 0 for none. */
  bound: number;
  /** inet_sport and inet_dport, which stay when a connection has ended. */
  sport: number;
  dport: number;
  remote: string;
  life: Life | null;
  /** Of a child: accept(2) has given it to a program. */
  isAccepted: boolean;
  /** Its last connection was opened by connect(2). */
  wasActive: boolean;
  /** Of a Fast Open child, while its handshake goes on. */
  request: number;
}

interface Request {
  readonly address: number;
  readonly listener: Socket;
  readonly life: Life;
  readonly remote: string;
  /** Both ends, which only one connection has at a time. */
  readonly ends: string;
}

const SOCKETS = 16;
const ANY = '0.0.0.0';
/** Few peers and ports, so that the same ends come again at the same socket. */
const PEERS = ['10.0.0.2', '10.0.0.3'];
const EPHEMERAL = [40_000, 40_001, 40_002, 40_003];

/** Walks for at least `steps` steps, then ends everything. */
export function* walkKernel(random: Random, shape: ModelShape, steps: number): Generator<Given> {
  const free = Array.from({ length: SOCKETS }, (_, index) => 0x1000 * (index + 1));
  const sockets = new Set<Socket>();
  const requests = new Set<Request>();
  const busyUntil = new Map<string, number>();
  const isModule = shape.source === 'module';
  let time = 0;
  let requestsMade = 0;
  const chance = (percent: number): boolean => random.integer(1, 100) <= percent;
  const tick = (): number => {
    time += random.integer(1, 2 * MILLISECOND);
    return time;
  };

  const endsOf = ({ address, sport, dport, remote, life }: Socket): RecordFields => ({
    socket: address,
    local: life?.kind === 'listening' ? ANY : '10.0.0.1',
    localPort: sport,
    remotePort: dport,
    remote,
  });
  const newLife = (kind: Life['kind'], localPort: number | null, remotePort: number | null): Life => ({
    ...{ kind, localPort, remotePort, retransmits: 0 },
    ...{ changes: [], callers: new Set(), accepts: [] },
  });

  function* change(socket: Socket, to: TcpState, maker: Maker, fields: RecordFields = {}): Generator<Given> {
    const { state: from, life } = socket;
    if (life === null) throw new Error(`a socket without a life goes to ${to}`);
    const at = tick();
    const thread = random.integer(100, 104);
    // Assigned directly, not by tcp_set_state().
    const isRecorded = !isModule || (to !== 'LISTEN' && from !== 'LISTEN' && from !== to);
    if (maker === 'call') life.callers.add(thread);
    if (from !== to) life.changes.push({ to, time: at, isRecorded });
    const ends = endsOf(socket);
    socket.state = to;
    if (to === 'CLOSE') {
      socket.life = null;
      socket.request = 0;
      if (life.kind === 'passive') busyUntil.delete(`${socket.sport} ${socket.remote} ${socket.dport}`);
    }
    if (!isRecorded) return;
    // Packets that came while a program had the socket are processed by that program (release_sock).
    const inTask = maker === 'call' || (chance(20) && to !== 'FIN_WAIT1' && to !== 'LAST_ACK');
    yield {
      probe: 'tcp_set_state',
      fields: { ...ends, ...fields, from, to, time: at, thread, inTask },
      life,
    };
  }

  function newSocket(): Socket | null {
    const address = free.pop();
    if (address === undefined) return null;
    const socket: Socket = {
      ...{ address, state: 'CLOSE', bound: 0, sport: 0, dport: 0, remote: ANY },
      ...{ life: null, isAccepted: false, wasActive: false, request: 0 },
    };
    sockets.add(socket);
    return socket;
  }

  function bindIfWanted(socket: Socket): void {
    if (socket.bound === 0 && chance(25)) socket.bound = random.pick(EPHEMERAL);
    if (socket.bound !== 0) socket.sport = socket.bound;
  }

  function* connect(socket: Socket): Generator<Given> {
    bindIfWanted(socket);
    socket.remote = random.pick(PEERS);
    socket.dport = random.pick([0, 443]);
    const hasPort = socket.bound !== 0 || chance(90);
    const port = socket.bound !== 0 ? socket.bound : random.pick(EPHEMERAL);
    socket.life = newLife('active', hasPort ? port : null, socket.dport);
    socket.wasActive = true;
    yield* change(socket, 'SYN_SENT', 'call');
    if (hasPort) socket.sport = port;
    else yield* change(socket, 'CLOSE', 'call');
  }

  function* listen(socket: Socket): Generator<Given> {
    bindIfWanted(socket);
    const port = socket.bound !== 0 ? socket.bound : random.pick(EPHEMERAL);
    // tcp_disconnect() clears the peer's port and keeps its address.
    socket.dport = 0;
    socket.life = newLife('listening', port, null);
    socket.wasActive = false;
    yield* change(socket, 'LISTEN', 'call');
    socket.sport = port;
  }

  /** From a peer that has no connection to this port, and no request that the tracker may still wait for. */
  function receiveSyn(listener: Socket): void {
    const [remote, remotePort] = [random.pick(PEERS), random.pick([0, 50_000, 50_001])];
    const ends = `${listener.sport} ${remote} ${remotePort}`;
    if ((busyUntil.get(ends) ?? 0) > time) return;
    const life = newLife('passive', listener.sport, remotePort);
    const address = 0x90_0000 + 0x100 * (requestsMade++ % 64);
    requests.add({ address, listener, life, remote, ends });
    busyUntil.set(ends, Number.POSITIVE_INFINITY);
  }

  /** The handshake of a request goes on: it gets a child. With Fast Open that comes with the SYN. */
  function* makeChild(request: Request): Generator<Given> {
    const child = newSocket();
    if (child === null) return;
    requests.delete(request);
    const { life, listener, remote } = request;
    const isFastOpen = life.retransmits === 0 && chance(40);
    Object.assign(child, { state: 'LISTEN', life, sport: listener.sport, remote, dport: life.remotePort });
    child.request = isFastOpen ? request.address : 0;
    const peerless = { remotePort: 0, remote: listener.remote, local: ANY };
    yield* change(child, 'SYN_RECV', 'kernel', shape.peerComesLater ? peerless : { local: '10.0.0.1' });
    if (!isFastOpen) yield* change(child, chance(90) ? 'ESTABLISHED' : 'CLOSE', 'kernel');
  }

  function* retransmitSynAck(request: number, socket: number, ends: RecordFields, life: Life) {
    life.retransmits++;
    const fields = { ...ends, socket, request, time: tick(), thread: 0 };
    yield { probe: 'tcp_retransmit_synack', fields, life } satisfies Given;
  }

  function* actOnRequest(request: Request): Generator<Given> {
    const { life, remote, listener, ends: tuple } = request;
    const isListening = listener.state === 'LISTEN' && listener.sport === life.localPort;
    if (isListening && chance(60)) return yield* makeChild(request);
    if (!isListening || chance(30)) {
      busyUntil.set(tuple, time + 121 * SECOND);
      return void requests.delete(request);
    }
    const ends = { localPort: life.localPort ?? 0, remotePort: life.remotePort ?? 0, remote };
    yield* retransmitSynAck(request.address, listener.address, ends, life);
  }

  function* acceptChild(socket: Socket, life: Life): Generator<Given> {
    socket.isAccepted = true;
    const [at, thread] = [tick(), random.integer(100, 104)];
    life.accepts.push({ state: socket.state, time: at });
    life.callers.add(thread);
    if (!isModule) return;
    const fields = { ...endsOf(socket), to: socket.state, time: at, thread, inTask: true };
    yield { probe: 'inet_csk_accept', fields, life };
  }

  function* reset(probe: 'tcp_send_reset' | 'tcp_receive_reset', socket: Socket, life: Life) {
    yield { probe, fields: { ...endsOf(socket), to: socket.state, time: tick() }, life } satisfies Given;
  }

  function* actOnConnection(socket: Socket, life: Life): Generator<Given> {
    const { state } = socket;
    const waitsForAccept = life.kind === 'passive' && !socket.isAccepted;
    if (waitsForAccept && chance(30)) return yield* acceptChild(socket, life);
    if (socket.request !== 0 && state === 'SYN_RECV' && chance(20)) {
      return yield* retransmitSynAck(socket.request, socket.address, endsOf(socket), life);
    }
    if (state !== 'LISTEN' && state !== 'SYN_RECV' && state !== 'FIN_WAIT2' && chance(15)) {
      life.retransmits++;
      const fields = { ...endsOf(socket), to: state, time: tick(), thread: 0 };
      return yield { probe: 'tcp_retransmit_skb', fields, life };
    }
    const choices = (NEXT[state] ?? []).filter(
      ([to, maker]) => maker === 'kernel' || !waitsForAccept || to === 'CLOSE',
    );
    const [to, maker] = random.pick(choices);
    if (to === 'CLOSE' && state !== 'LISTEN' && maker === 'kernel' && chance(50)) {
      yield* reset('tcp_receive_reset', socket, life);
    }
    yield* change(socket, to, maker);
    // An abort closes first, and sends its reset then.
    if (to === 'CLOSE' && state !== 'LISTEN' && maker === 'call' && chance(50)) {
      yield* reset('tcp_send_reset', socket, life);
    }
    if (to === 'CLOSE' && waitsForAccept && chance(30)) yield* acceptChild(socket, life);
  }

  /** A socket that has no connection is freed, or is used again (connect with AF_UNSPEC, or after a failed connect). */
  function* actOnClosed(socket: Socket): Generator<Given> {
    const isReused = chance(40);
    if (isReused && chance(70)) return yield* connect(socket);
    // A socket that has listened, or a child, would show the listener's port if it listened without bind(2): nobody does.
    if (isReused && socket.wasActive) return yield* listen(socket);
    sockets.delete(socket);
    free.push(socket.address);
  }

  /** A long time, in which every handshake that has not come to its end is given up. */
  function* passLongTime(): Generator<Given> {
    for (const request of requests) busyUntil.set(request.ends, time + 121 * SECOND);
    requests.clear();
    for (const socket of sockets) if (socket.state === 'SYN_RECV') yield* change(socket, 'CLOSE', 'kernel');
    time += 130 * SECOND;
  }

  function* step(): Generator<Given> {
    const chosen = random.integer(1, 1000);
    if (chosen === 1) yield* passLongTime();
    else if (chosen < 20) time += 2 * SECOND;
    const listeners = [...sockets].filter(({ state }) => state === 'LISTEN');
    const socket = random.pick([...sockets, null]);
    if (chance(3)) {
      // In answer to a packet of no socket, or of TIME_WAIT, whose socket is of another kind.
      const stray = {
        socket: random.pick([0, 0x77_0000]),
        to: 'TIME_WAIT' as const,
        localPort: 443,
        remotePort: 9,
      };
      yield { probe: 'tcp_send_reset', fields: { ...stray, time: tick() }, life: null };
    } else if (requests.size > 0 && chance(40)) {
      yield* actOnRequest(random.pick([...requests]));
    } else if (listeners.length > 0 && requests.size < 8 && chance(30)) {
      receiveSyn(random.pick(listeners));
    } else if (socket === null || (sockets.size < SOCKETS / 2 && chance(20))) {
      const opened = newSocket();
      if (opened !== null) yield* chance(75) || listeners.length > 3 ? connect(opened) : listen(opened);
    } else if (socket.life === null) {
      yield* actOnClosed(socket);
    } else {
      yield* actOnConnection(socket, socket.life);
    }
  }

  for (let done = 0; done < steps; done++) yield* step();
  for (const socket of sockets) if (socket.life !== null) yield* change(socket, 'CLOSE', 'call');
}
