/** Walks of TCP's states that ordinary programs rarely make, on this kernel's tracepoints: accept, latency and life are right. */
import { execFile } from 'node:child_process';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { STATE } from '../../src/event/kinds.ts';
import type { LifeEvent, SingleEvent, StateEvent } from '../../src/event/tcp-event.ts';
import { imbalances, type Ledger } from '../../src/ledger/ledger.ts';
import { startAgent, whyNoAgent } from '../support/agent.ts';
import { enter, openNamespace } from '../support/namespace.ts';
import { noNetworkReason } from '../support/network.ts';
import { createEventValidator } from '../support/schema.ts';
import { shared } from '../support/shared.ts';
import { walkProblem } from '../support/tcp-walk.ts';
import { parseCsv, type Row, startTool, stopTools } from '../support/tool.ts';

const missing = whyNoAgent() ?? noNetworkReason;
if (missing) console.warn(`skipped: walks of TCP's states: ${missing}`);

const WALKS = join(import.meta.dirname, '../support/traffic/walks.py');
const FIRST_PORT = 21_000;
/** Of this process alone, so that the traffic of others is told apart. */
const ADDRESS = `127.${(process.pid >> 16) + 64}.${(process.pid >> 8) & 255}.${process.pid & 255}`;

interface Facts {
  readonly name: string;
  readonly port: number;
  readonly pid?: number;
  readonly [fact: string]: unknown;
}

/** Tools that show one kind of event, which kernel records they ask for being their own choice. */
const TOOLS = { tcpaccept: 'tcp_accept', tcpconnlat: 'tcp_connect_latency', tcplife: 'tcp_life' } as const;
type ToolName = keyof typeof TOOLS;
const TOOL_NAMES = Object.keys(TOOLS) as ToolName[];

interface Traced {
  readonly rows: ReadonlyMap<ToolName, readonly Row[]>;
  readonly facts: ReadonlyMap<string, Facts>;
  readonly events: readonly SingleEvent[];
  readonly ledger: Ledger;
}

/** Runs all walks in a namespace of their own. */
async function runWalks(): Promise<Map<string, Facts>> {
  const { namespace, close } = await openNamespace('walks');
  try {
    const [command, ...args] = enter(namespace);
    const { stdout } = await promisify(execFile)(command, [
      ...args,
      'python3',
      WALKS,
      ADDRESS,
      `${FIRST_PORT}`,
    ]);
    const lines = stdout.trimEnd().split('\n');
    return new Map(lines.map((line) => JSON.parse(line) as Facts).map((facts) => [facts.name, facts]));
  } finally {
    await close();
  }
}

/** Those of a file that may be of the walks. */
async function readEvents(path: string): Promise<SingleEvent[]> {
  const events: SingleEvent[] = [];
  for await (const line of createInterface({ input: createReadStream(path) })) {
    if (line.includes(ADDRESS) || line.includes('"comm":"python3"') || /_port":21\d{3},/.test(line)) {
      events.push(JSON.parse(line) as SingleEvent);
    }
  }
  return events;
}

const statesOf = (events: readonly SingleEvent[]): StateEvent[] =>
  events.filter((event): event is StateEvent => event.event === 'tcp_state');

/** One line for each connection: who opened it, its states, and the events beside them but retransmits. */
function describeConnections(events: readonly SingleEvent[]): string[] {
  return [...Map.groupBy(events, ({ connection_id }) => connection_id).values()]
    .map((list) => {
      const states = statesOf(list);
      const walk = [states[0]?.old_state, ...states.map(({ new_state }) => new_state)].filter(Boolean);
      const others = list
        .filter(({ event }) => event !== 'tcp_state' && event !== 'tcp_retransmit')
        .map(({ event }) => event.slice('tcp_'.length));
      return `${list[0]?.direction}: ${walk.join(' ')} | ${others.sort().join(' ')}`;
    })
    .sort();
}

const LISTENER = 'unknown: CLOSE LISTEN CLOSE | ';
const CLIENT_FIRST = [
  'active: CLOSE SYN_SENT ESTABLISHED FIN_WAIT1 FIN_WAIT2 CLOSE | connect connect_latency life',
  'passive: LISTEN SYN_RECV ESTABLISHED CLOSE_WAIT LAST_ACK CLOSE | accept life',
];
const SERVER_FIRST = [
  'active: CLOSE SYN_SENT ESTABLISHED CLOSE_WAIT LAST_ACK CLOSE | connect connect_latency life',
  'passive: LISTEN SYN_RECV ESTABLISHED FIN_WAIT1 FIN_WAIT2 CLOSE | accept life',
];
const ABORTED = [
  'active: CLOSE SYN_SENT ESTABLISHED CLOSE | connect connect_latency life reset',
  'passive: LISTEN SYN_RECV ESTABLISHED CLOSE | accept life reset',
];
/** The reset that answers has no socket. */
const REFUSED = ['active: CLOSE SYN_SENT CLOSE | connect reset', 'unknown:  | reset'];

/** By walk: what is to be seen of it. */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  fast_open_closed_early: [
    'active: CLOSE SYN_SENT ESTABLISHED CLOSE_WAIT LAST_ACK CLOSE | connect connect_latency life',
    'passive: LISTEN SYN_RECV FIN_WAIT1 FIN_WAIT2 CLOSE | accept life',
    LISTENER,
  ],
  fast_open_established: [...CLIENT_FIRST, LISTENER],
  // The handshake never comes to its end, and no record tells that the program has accepted.
  fast_open_aborted: [
    'active: CLOSE SYN_SENT ESTABLISHED CLOSE | connect connect_latency life reset',
    'passive: LISTEN SYN_RECV CLOSE | reset',
    LISTENER,
  ],
  fast_open_syn_ack_lost: [...CLIENT_FIRST, LISTENER],
  fast_open_connect: [...CLIENT_FIRST, LISTENER],
  both_at_once: [
    'active: CLOSE SYN_SENT SYN_RECV ESTABLISHED CLOSE_WAIT LAST_ACK CLOSE | connect connect_latency life',
    'active: CLOSE SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT1 FIN_WAIT2 CLOSE | connect connect_latency life',
  ],
  with_itself: [
    'active: CLOSE SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT1 CLOSING CLOSE | connect connect_latency life',
  ],
  half_closed: [...CLIENT_FIRST, LISTENER],
  refused: REFUSED,
  port_zero: REFUSED,
  listen_without_bind: [LISTENER],
  used_again: [...ABORTED, ...ABORTED, LISTENER].sort(),
  ipv4_in_ipv6: [...CLIENT_FIRST, LISTENER],
  any_address: [...CLIENT_FIRST, LISTENER],
  any_address_of_ipv6: [...CLIENT_FIRST, LISTENER],
  accepted_and_closed_by_others: [...CLIENT_FIRST, LISTENER],
  never_accepted: [...ABORTED, LISTENER],
  reset_before_accept: [...ABORTED, LISTENER],
  time_wait_again: [...SERVER_FIRST, ...SERVER_FIRST, ...SERVER_FIRST, LISTENER].sort(),
  deferred_accept: [...CLIENT_FIRST, LISTENER],
  closed_by_kernel_thread: [...SERVER_FIRST, LISTENER],
};

describe.skipIf(missing)('a walk of TCP', () => {
  let directory: string;
  let traced: Traced;
  const trace = shared(async (): Promise<Traced> => {
    const path = join(directory, 'events.ndjson');
    rmSync(path, { force: true });
    const config = {
      source: { kind: 'tracepoints', buffer_kb: 16_384 },
      // Whatever else happens on this host is in it too, and no part may be rotated away.
      sink: { file: { enabled: true, path, max_bytes: 4 * 2 ** 30 } },
    };
    await stopTools();
    const [agent, ...tools] = await Promise.all([
      startAgent({ config }),
      ...TOOL_NAMES.map((name) => startTool(name, '--csv', '--source', 'tracepoints')),
    ]);
    try {
      const facts = await runWalks();
      expect(await agent.stop()).toBe(0);
      const rows = new Map<ToolName, readonly Row[]>();
      for (const [index, tool] of tools.entries()) {
        expect(await tool.stop()).toBe(0);
        rows.set(TOOL_NAMES[index] as ToolName, parseCsv(tool.stdout()));
      }
      const events = await readEvents(path);
      return { rows, facts, events, ledger: agent.finalLedger() };
    } finally {
      await agent.stop('SIGKILL');
      await stopTools();
    }
  });
  beforeEach(async (context) => {
    traced = await trace(context);
  });
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'ktc-walks-'));
  });
  afterAll(async () => {
    await stopTools();
    rmSync(directory, { recursive: true });
  });

  const factsOf = (name: string): Facts => {
    const facts = traced.facts.get(name);
    if (facts === undefined) throw new Error(`no walk ${name}`);
    return facts;
  };
  /** All events of the connections that have the port. */
  const eventsOfPort = (port: number): SingleEvent[] => {
    const has = ({ local_port, remote_port }: SingleEvent) => local_port === port || remote_port === port;
    const ids = new Set(traced.events.filter(has).map(({ connection_id }) => connection_id));
    return traced.events.filter(({ connection_id }) => ids.has(connection_id));
  };
  const eventsOf = (name: string): SingleEvent[] => {
    const { port, chosen } = factsOf(name);
    return eventsOfPort(name === 'listen_without_bind' ? Number(chosen) : port);
  };
  const lifeOf = (name: string, wanted: SingleEvent['direction']): LifeEvent => {
    const life = eventsOf(name).find(({ event, direction }) => event === 'tcp_life' && direction === wanted);
    if (life?.event !== 'tcp_life') throw new Error(`no ${wanted} life in ${name}`);
    return life;
  };

  it.each(Object.keys(EXPECTED))('%s: accept, latency and life once each', (name) => {
    expect(describeConnections(eventsOf(name))).toEqual(EXPECTED[name]);
  });

  it('has its test, and all of its events are valid', () => {
    const walks = [...traced.facts.keys()].filter((name) => name !== 'closer');
    expect(walks.sort()).toEqual(Object.keys(EXPECTED).sort());
    const events = walks.flatMap(eventsOf);
    expect(events.flatMap(createEventValidator())).toEqual([]);
    for (const list of Map.groupBy(events, ({ connection_id }) => connection_id).values()) {
      expect(walkProblem(statesOf(list))).toBeNull();
    }
    expect(imbalances(traced.ledger)).toEqual([]);
    expect(traced.ledger.held).toBe(0);
  });

  it.each(TOOL_NAMES)('%s shows each that the agent tells of', (tool) => {
    const count = (name: string, ports: readonly (string | number | null | undefined)[][]) =>
      ports.filter((ends) => ends.map(String).includes(`${factsOf(name).port}`)).length;
    const shown = (traced.rows.get(tool) ?? []).map((row) => [
      row['LPORT'],
      row['RPORT'],
      row['SPORT'],
      row['DPORT'],
    ]);
    const told = traced.events
      .filter(({ event }) => event === TOOLS[tool])
      .map(({ local_port, remote_port }) => [local_port, remote_port]);
    const counts = (ports: readonly (string | number | null | undefined)[][]) =>
      Object.fromEntries(Object.keys(EXPECTED).map((name) => [name, count(name, ports)]));
    expect(counts(shown)).toEqual(counts(told));
  });

  it('that ends before the last packet of its handshake has its owner and its duration', () => {
    const { longest_ms, state_at_accept } = factsOf('fast_open_closed_early');
    expect(state_at_accept).toBe(STATE.SYN_RECV);
    const life = lifeOf('fast_open_closed_early', 'passive');
    expect(life).toMatchObject({ pid_origin: 'owner', comm: 'python3' });
    expect(life.duration_us).toBeGreaterThan(0);
    expect(life.duration_us).toBeLessThan(Number(longest_ms) * 1000);
  });

  it('whose SYN-ACK is sent again counts that as its own', () => {
    const life = lifeOf('fast_open_syn_ack_lost', 'passive');
    const synAcks = eventsOf('fast_open_syn_ack_lost').filter(
      (event) => event.event === 'tcp_retransmit' && event.retransmit_kind === 'synack',
    );
    expect(synAcks.length).toBeGreaterThan(0);
    expect(new Set(synAcks.map(({ connection_id }) => connection_id))).toEqual(new Set([life.connection_id]));
    expect(life.retransmits).toBeGreaterThanOrEqual(synAcks.length);
  });

  it('that is half closed lasts until the other half is closed too', () => {
    const shortest = Number(factsOf('half_closed')['shortest_ms']) * 1000;
    for (const side of ['active', 'passive'] as const) {
      expect(lifeOf('half_closed', side).duration_us).toBeGreaterThanOrEqual(Math.floor(shortest));
    }
  });

  it('to port 0 is told with its address and that port, on both sides', () => {
    const { port } = factsOf('port_zero');
    const events = eventsOf('port_zero');
    const zero = { local_address: ADDRESS, remote_address: ADDRESS };
    for (const event of events.filter(({ direction }) => direction === 'active')) {
      expect(event).toMatchObject({ ...zero, local_port: port, remote_port: 0 });
    }
    const answer = events.find(({ direction }) => direction === 'unknown');
    expect(answer).toMatchObject({ ...zero, local_port: 0, remote_port: port });
    expect(new Set(events.map(({ community_id }) => community_id)).size).toBe(1);
  });

  it('that listens tells no port before the kernel has chosen it, and no peer', () => {
    const { chosen, ports } = factsOf('used_again');
    const used = { ports: ports as number[], chosen: Number(chosen) };
    for (const port of [Number(factsOf('listen_without_bind')['chosen']), used.chosen]) {
      const [listening, closing] = statesOf(
        eventsOfPort(port).filter(({ direction }) => direction === 'unknown'),
      );
      expect(listening).toMatchObject({ new_state: 'LISTEN', local_port: null, remote_address: null });
      expect(closing).toMatchObject({ old_state: 'LISTEN', local_port: port, remote_address: null });
      expect(closing?.duration_us).toBeGreaterThan(0);
    }
    // The socket of two connections before; a third one came to it.
    expect(new Set(used.ports).size).toBe(2);
    expect(describeConnections(eventsOfPort(used.chosen))).toEqual([...CLIENT_FIRST, LISTENER]);
  });

  it('to an address of all zeros is one to this host', () => {
    const addressesOf = (name: string, list: readonly string[]) =>
      list.map((direction) => eventsOf(name).find((event) => event.direction === direction)?.local_address);
    expect(addressesOf('any_address', ['active', 'passive', 'unknown'])).toEqual([
      '127.0.0.1',
      '127.0.0.1',
      '0.0.0.0',
    ]);
    expect(addressesOf('any_address_of_ipv6', ['active', 'passive', 'unknown'])).toEqual([
      '::1',
      '::1',
      '::',
    ]);
  });

  it('of IPv4 through IPv6 sockets is one of IPv4', () => {
    for (const event of eventsOf('ipv4_in_ipv6')) {
      const isListening = event.direction === 'unknown';
      expect(event.ip_version).toBe(isListening ? 6 : 4);
      expect(event.remote_address).toBe(
        isListening ? null : event.direction === 'active' ? ADDRESS : '127.0.0.1',
      );
    }
  });

  it('that a thread of the kernel closes is nobody’s', () => {
    const life = lifeOf('closed_by_kernel_thread', 'passive');
    expect(life.pid_origin).toBe('on_cpu');
    const closing = statesOf(eventsOf('closed_by_kernel_thread')).find(
      ({ new_state }) => new_state === 'FIN_WAIT1',
    );
    expect(closing).toMatchObject({ pid_origin: 'on_cpu', comm: expect.stringMatching(/^kworker/) });
  });

  it('is owned by the process that closes it where accept(2) is not recorded', () => {
    expect(lifeOf('accepted_and_closed_by_others', 'passive')).toMatchObject({
      pid: factsOf('closer').pid,
      pid_origin: 'owner',
    });
  });
});
