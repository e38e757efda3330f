/** The six tools on native tracepoints, on real traffic whose shape is known, against what the programs themselves saw. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { LossyLink } from '../../src/demo/network.ts';
import type { TcpEvent } from '../../src/event/tcp-event.ts';
import { startAgent, whyNoAgent } from '../support/agent.ts';
import { openLossyLink, readLinkCounters, waitUntilQuiet } from '../support/network.ts';
import { removeFilters, withOneFilterForAll } from '../support/one-filter-for-all.ts';
import { shared } from '../support/shared.ts';
import { instancesOf, parseCsv, type Row, runHeld, startTool, stopTools } from '../support/tool.ts';
import { TRACING } from '../support/tracefs.ts';
import { NODE_COMM } from '../support/traffic/comm.ts';
import type { HeldRecord } from '../support/traffic/held.ts';
import { until } from '../support/wait.ts';

const missing = whyNoAgent();
if (missing) console.warn(`skipped: the tools: ${missing}`);

/** A prime, so that nothing fits by accident. */
const CONNECTIONS = 23;
const PORT = 5023;
const NAMES = ['tcpaccept', 'tcpconnect', 'tcpconnlat', 'tcplife', 'tcpretrans', 'tcpstates'] as const;
type Name = (typeof NAMES)[number];

interface Traced {
  readonly records: readonly HeldRecord[];
  readonly notes: ReadonlyMap<Name, string>;
  readonly rows: ReadonlyMap<Name, Row[]>;
  readonly agentCode: number | null;
  /** How many changes of state the agent has delivered. */
  readonly agentStates: number;
  /** Retransmits. */
  readonly counted: number;
  readonly pids: readonly number[];
}

const KERNELS = [
  { filters: 'of each instance', start: <Started>(run: () => Promise<Started>) => run() },
  { filters: 'of the whole host, as on EL7', start: withOneFilterForAll },
];

describe.skipIf(missing).each(KERNELS)(
  'the tools, side by side with each other and the agent, where filters are those $filters',
  ({ start }) => {
    let directory: string;
    let link: LossyLink;
    let traced: Traced;

    const clients = () => traced.records.filter(({ side }) => side === 'client');
    const servers = () => traced.records.filter(({ side }) => side === 'server');
    const of = (name: Name): Row[] => traced.rows.get(name) ?? [];

    const trace = shared(async (): Promise<Traced> => {
      // Of a first try that failed.
      await stopTools();
      removeFilters(TRACING);
      await link?.close();
      link = await openLossyLink({ lossPercent: 0 });
      const output = join(directory, 'events.ndjson');
      rmSync(output, { force: true });
      const config = {
        source: { kind: 'tracepoints' },
        sink: { file: { enabled: true, path: output } },
        telemetry: { http: { port: 0 } },
      };
      const [agent, ...tools] = await start(() =>
        Promise.all([
          startAgent({ config, awaitReady: false }),
          ...NAMES.map(
            async (name) => [name, await startTool(name, '--csv', '--source', 'tracepoints')] as const,
          ),
        ]),
      );
      try {
        await until(() => agent.log().includes('reading kernel events'), 'the agent to trace');
        const records = await runHeld(link, PORT, CONNECTIONS);
        await waitUntilQuiet(link);
        const counted = (await readLinkCounters(link)).TcpRetransSegs;
        const codes = await Promise.all(tools.map(([, tool]) => tool.stop()));
        expect(codes).toEqual(NAMES.map(() => 0));
        const agentCode = await agent.stop();
        const addresses = [link.a.ipv4, link.b.ipv4];
        const agentStates = readFileSync(output, 'utf8')
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as TcpEvent)
          .filter(
            ({ event, local_address }) => event === 'tcp_state' && addresses.includes(local_address ?? ''),
          );
        const rows = new Map(
          tools.map(([name, tool]) => [
            name,
            parseCsv(tool.stdout()).filter((row) =>
              Object.values(row).some((cell) => addresses.includes(cell)),
            ),
          ]),
        );
        const notes = new Map(tools.map(([name, tool]) => [name, tool.stderr()]));
        return {
          records,
          notes,
          rows,
          agentCode,
          agentStates: agentStates.length,
          counted,
          pids: tools.map(([, tool]) => tool.pid),
        };
      } finally {
        await agent.stop('SIGKILL');
        await stopTools();
      }
    });
    beforeEach(async (context) => {
      traced = await trace(context);
    });
    beforeAll(() => {
      directory = mkdtempSync(join(tmpdir(), 'ktc-tools-'));
    });
    afterAll(async () => {
      rmSync(directory, { recursive: true });
      removeFilters(TRACING);
      await link?.close();
    });

    it('leave nothing behind, and disturb nobody', () => {
      expect(traced.agentCode).toBe(0);
      for (const pid of traced.pids) expect(instancesOf(pid)).toEqual([]);
    });

    it('the traffic is what it should be', () => {
      expect(clients().length).toBe(CONNECTIONS);
      expect(servers().length).toBe(CONNECTIONS);
    });

    it('the agent and tcpstates have the same changes of state', () => {
      expect(traced.agentStates).toBe(of('tcpstates').length);
      // SYN_SENT, ESTABLISHED, FIN_WAIT1 and CLOSE at the least, and as many at the other end.
      expect(traced.agentStates).toBeGreaterThanOrEqual(CONNECTIONS * 8);
    });

    it('no filter is left on the host', () => {
      for (const event of ['sock/inet_sock_set_state', 'tcp/tcp_retransmit_skb'])
        expect(readFileSync(`${TRACING}/events/${event}/filter`, 'utf8')).toBe('none\n');
    });

    const inOrder = (list: readonly Row[]) =>
      [...list].sort((a, b) => Number(a['SPORT']) - Number(b['SPORT']));

    it('tcpconnect: every column', () => {
      const truth = clients().map(({ pid, local_port }) => ({
        PID: String(pid),
        COMM: NODE_COMM,
        IP: '4',
        SADDR: link.a.ipv4,
        SPORT: String(local_port),
        DADDR: link.b.ipv4,
        DPORT: String(PORT),
      }));
      expect(inOrder(of('tcpconnect'))).toEqual(inOrder(truth));
      expect(traced.notes.get('tcpconnect')).toBe('');
    });

    it('tcpaccept: every column, but for the process, which it says it cannot know', () => {
      const truth = servers().map(({ remote_port }) => ({
        PID: '',
        COMM: '',
        IP: '4',
        RADDR: link.a.ipv4,
        RPORT: String(remote_port),
        SADDR: link.b.ipv4,
        SPORT: String(PORT),
      }));
      const byPeer = (list: readonly Row[]) =>
        [...list].sort((a, b) => Number(a['RPORT']) - Number(b['RPORT']));
      expect(byPeer(of('tcpaccept'))).toEqual(byPeer(truth));
      expect(traced.notes.get('tcpaccept')).toMatch(
        /^ktc: PID, COMM: unknown to the native tracepoints; [^\n]*\n$/,
      );
    });

    it('tcpconnlat: every column, and the latency that the client measured', () => {
      for (const { pid, local_port, latency_ms } of clients()) {
        const row = of('tcpconnlat').find(({ SPORT }) => SPORT === String(local_port));
        expect(row).toMatchObject({ PID: String(pid), COMM: NODE_COMM, IP: '4', DPORT: String(PORT) });
        // The client's own measure has the turns of its event loop in it.
        expect(Number(row?.['LAT(ms)'])).toBeLessThanOrEqual(latency_ms);
      }
      expect(of('tcpconnlat').length).toBe(CONNECTIONS);
    });

    it('tcplife: every column, and how long each lived, from both ends', () => {
      for (const record of traced.records) {
        const row = of('tcplife').find(
          ({ LPORT, RPORT }) => LPORT === String(record.local_port) && RPORT === String(record.remote_port),
        );
        expect(row, JSON.stringify(record)).toMatchObject({
          PID: String(record.pid),
          COMM: NODE_COMM,
          IP: '4',
          LADDR: record.local_address,
          RADDR: record.remote_address,
          TX_KB: '',
          RX_KB: '',
        });
        const client = clients().find(({ local_port }) =>
          [record.local_port, record.remote_port].includes(local_port),
        );
        const ms = Number(row?.['MS']);
        // The client's timer counts from the beginning of a turn of its event loop, and in whole milliseconds.
        expect(ms).toBeGreaterThanOrEqual((client?.hold_ms ?? Number.NaN) * 0.8);
        // Once it has closed too, a program does not wait for the last ACK.
        const lastAck = of('tcpstates').find(
          ({ OLDSTATE, LPORT, RPORT }) =>
            OLDSTATE === 'LAST_ACK' && LPORT === row?.['LPORT'] && RPORT === row?.['RPORT'],
        );
        const known = ms - Number(lastAck?.['MS'] ?? 0);
        expect(known).toBeLessThanOrEqual((client?.total_ms ?? Number.NaN) * 1.2 + 20);
      }
      expect(of('tcplife').length).toBe(CONNECTIONS * 2);
      expect(traced.notes.get('tcplife')).toMatch(
        /^ktc: TX_KB, RX_KB: unknown to the native tracepoints; [^\n]*\n$/,
      );
    });

    it('tcpstates: every walk from first to last state, and its durations sum up to the life', () => {
      const walks = Map.groupBy(
        of('tcpstates').filter(({ RPORT }) => RPORT !== ''),
        ({ SKADDR, LPORT, RPORT }) => `${SKADDR} ${LPORT} ${RPORT}`,
      );
      expect(walks.size).toBe(CONNECTIONS * 2);
      for (const [socket, walk] of walks) {
        expect(socket).toMatch(/^[0-9a-f]{8}-[0-9a-z]+ /);
        const states = [walk[0]?.['OLDSTATE'], ...walk.map((row) => row['NEWSTATE'])];
        for (const [index, row] of walk.entries()) expect(row['OLDSTATE']).toBe(states[index]);
        expect(states.at(-1)).toBe('CLOSE');
        const { LPORT, RPORT } = walk[0] ?? {};
        const life = of('tcplife').find((row) => row['LPORT'] === LPORT && row['RPORT'] === RPORT);
        const sinceEstablished = walk.slice(states.indexOf('ESTABLISHED'));
        const sum = sinceEstablished.reduce((total, row) => total + Number(row['MS']), 0);
        // Each is rounded down to a microsecond; the instances of two tools take their own times of a record.
        expect(Math.abs(sum - Number(life?.['MS']))).toBeLessThan(1);
        const owner = traced.records.find(
          (record) => String(record.local_port) === LPORT && String(record.remote_port) === RPORT,
        );
        // Where the owner closes it itself, it is on the CPU.
        if (owner?.side === 'client')
          expect(walk[0]).toMatchObject({ 'C-PID': String(owner.pid), 'C-COMM': NODE_COMM });
      }
    });

    it('tcpretrans: what the kernel counted, which on a link without loss is only loss probes of a busy machine', () => {
      expect(of('tcpretrans').length).toBe(traced.counted);
      expect(traced.notes.get('tcpretrans')).toBe('');
    });
  },
);

describe.skipIf(missing)('filters and formats', () => {
  afterEach(stopTools);

  it('narrow to what is wanted, in the agent and in the kernel, and say so', async () => {
    const link = await openLossyLink({ lossPercent: 0 });
    const source = ['--source', 'tracepoints'];
    const tools = await Promise.all([
      startTool('tcplife', '--csv', '--local-port', String(PORT), '-v', ...source),
      startTool('tcpconnect', '--csv', '-6', ...source),
      startTool('tcpstates', '--json', '--remote-port', `7,${PORT}`, ...source),
      startTool('tcpconnect', '-c', '--csv', '-P', String(PORT), ...source),
      startTool('tcpretrans', '-v', '-6', '--local-port', '80', ...source),
    ]);
    const records = await runHeld(link, PORT, CONNECTIONS);
    for (const tool of tools) expect(await tool.stop()).toBe(0);
    const [life, six, states, counts, retransmits] = tools.map((tool) => tool.stdout());
    expect(parseCsv(life ?? '').length).toBe(CONNECTIONS);
    expect(parseCsv(six ?? '').filter(({ DADDR }) => DADDR === link.b.ipv4)).toEqual([]);
    const events = (states ?? '')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as TcpEvent);
    expect(new Set(events.map(({ connection_id }) => connection_id)).size).toBe(CONNECTIONS);
    expect(counts).toBe(`SADDR,DADDR,DPORT,CONNECTS\n${link.a.ipv4},${link.b.ipv4},${PORT},${CONNECTIONS}\n`);
    expect(retransmits?.trimEnd().split('\n').length).toBe(1);
    expect(tools[4]?.stderr()).toContain(
      'probe tcp_retransmit_skb: in the kernel: (family == 10) && (sport == 80)',
    );
    expect(tools[0]?.stderr()).toMatch(/^ktc: probe tcp_set_state: in the kernel: .*newstate != 5/m);
    const one = records.find(({ side }) => side === 'client')?.pid;
    expect(one).toBeGreaterThan(0);
    await link.close();
  });

  it('--duration ends it', async () => {
    const tool = await startTool('tcpstates', '--duration', '0.5');
    expect(await tool.stop('SIGCONT')).toBe(0);
    expect(instancesOf(tool.pid)).toEqual([]);
  });
});
