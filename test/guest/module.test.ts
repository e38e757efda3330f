/** tcp_trace.ko on real kernels: each event against what the kernel's counters, ss and the programs themselves say. */
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { LifeEvent, RetransmitEvent, StateEvent, TcpEvent } from '../../src/event/tcp-event.ts';
import { imbalances, type Ledger } from '../../src/ledger/ledger.ts';
import type { ModuleStatus } from '../../src/source/module/status.ts';
import { expectAttempts } from '../support/guest/attempts.ts';
import { buildGuestModule } from '../support/guest/module.ts';
import { countedOnLink, expectNoComplaint, ledgerIn } from '../support/guest/outputs.ts';
import { bootGuest, type GuestResult, guestAgentUnavailable, MODULE_KERNELS } from '../support/guest.ts';
import type { Counters } from '../support/nstat.ts';
import { createEventValidator } from '../support/schema.ts';
import { shared } from '../support/shared.ts';
import { walkProblem } from '../support/tcp-walk.ts';
import { type ConnectionRecord, compile, parseRecords } from '../support/traffic/traffic.ts';

const CONNECTIONS = 150;
const FAMILIES = 3;
const support = join(import.meta.dirname, '../support/guest');

const isOf =
  <Kind extends TcpEvent['event']>(kind: Kind) =>
  (event: TcpEvent): event is Extract<TcpEvent, { event: Kind }> =>
    event.event === kind;

/** What the programs print of an address, without the form of a mapped one. */
const plain = (address: string) => address.replace('::ffff:', '');
const endsOf = (event: TcpEvent) =>
  `${event.local_address} ${event.local_port} ${event.remote_address} ${event.remote_port}`;
const loggedEnds = (record: ConnectionRecord) =>
  `${plain(record.local_address)} ${record.local_port} ${plain(record.remote_address)} ${record.remote_port}`;

describe.each(MODULE_KERNELS)('tcp_trace.ko on Linux %s', (kernel) => {
  const unavailable = guestAgentUnavailable(kernel);
  if (unavailable !== undefined) console.warn(`skipped: tcp_trace.ko on ${kernel}: ${unavailable}`);

  describe.skipIf(unavailable !== undefined)('with the agent', () => {
    let guest: GuestResult;
    let events: TcpEvent[];
    let counted: Counters;
    let ledger: Ledger;
    const output = (name: string): string => guest.outputs.get(name)?.toString() ?? '';
    const netns = (name: 'a' | 'b') => Number(output(`netns-${name}`));
    const withPort = (port: number) =>
      events.filter(({ local_port, remote_port }) => local_port === port || remote_port === port);
    /** Whose counters were read. */
    const inTheirNamespaces = (event: TcpEvent) => [netns('a'), netns('b')].includes(event.netns ?? 0);
    /** Of the connections that lost packets. */
    const logged = () => [...parseRecords(output('client')), ...parseRecords(output('server'))];

    const boot = shared(async () => {
      const module = buildGuestModule(kernel);
      const booted = await bootGuest({
        kernel,
        node: true,
        programs: ['/usr/sbin/ip', '/usr/sbin/tc', '/usr/sbin/ethtool', '/usr/bin/ss', '/usr/bin/nstat'],
        modules: ['veth', 'sch_netem', 'tcp_diag'],
        files: {
          '/link.sh': join(support, 'link.sh'),
          '/module-agent.sh': join(support, 'module-agent.sh'),
          '/tcp_trace.ko': module,
          '/other-api.ko': buildGuestModule(kernel, 'newer-api'),
          '/other-kernel.ko': buildGuestModule(kernel === '6.1' ? '6.12' : '6.1'),
          '/connections': await compile('connections'),
        },
        script: `sh /module-agent.sh ${CONNECTIONS}`,
        emulation: 'serial',
      });
      const out = (name: string): string => booted.outputs.get(name)?.toString() ?? '';
      expect(booted.exitCode, booted.console + out('agent.log')).toBe(0);
      const traced = out('events')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as TcpEvent);
      const counts = countedOnLink(out);
      const kinds = Object.entries(Object.groupBy(traced, ({ event }) => event));
      console.log(
        `${kernel}: ${traced.length} events (${kinds.map(([kind, of]) => `${kind} ${of?.length}`).join(', ')}), ` +
          `kernel counted ${counts.TcpRetransSegs} retransmits`,
      );
      return { guest: booted, events: traced, counted: counts, ledger: ledgerIn(out('agent.log')) };
    });
    beforeEach(async (context) => {
      ({ guest, events, counted, ledger } = await boot(context));
    });

    test('loses nothing, and the account balances', () => {
      expect(imbalances(ledger)).toEqual([]);
      expect(ledger).toMatchObject({ malformed: 0, held: 0, lost: { kernel_overrun: 0, malformed_page: 0 } });
      expect(ledger.lost['probe_missed'] ?? 0).toBe(0);
      expect(ledger.emitted).toBe(events.length);
    });

    test('every event is as published', () => {
      const validate = createEventValidator();
      for (const event of events) expect(validate(event)).toEqual([]);
    });

    test('all hooks ride on ftrace, and none misses a call', () => {
      const module = JSON.parse(output('module.json')) as ModuleStatus;
      expect(module.events).toHaveLength(7);
      for (const hook of module.hooks) expect(hook).toMatchObject({ state: 'on', way: 'ftrace', missed: 0 });
    });

    test('tcp_set_state: every connection of the programs walks as TCP does, in its namespace', () => {
      const states = Map.groupBy(events.filter(isOf('tcp_state')), (event) => event.connection_id);
      const problems = [...states].flatMap(([id, walk]: [string, StateEvent[]]) => {
        const problem = walkProblem(walk);
        return problem === null ? [] : [`${id}: ${problem}`];
      });
      expect(problems).toEqual([]);
      const seen = new Map(events.filter(isOf('tcp_life')).map((event) => [endsOf(event), event]));
      for (const record of logged().filter(({ error }) => error === null)) {
        const life = seen.get(loggedEnds(record));
        expect(life, loggedEnds(record)).toMatchObject({
          netns: netns(record.side === 'client' ? 'a' : 'b'),
          direction: record.side === 'client' ? 'active' : 'passive',
        });
      }
    });

    test('tcp_set_state: the bytes of each connection are those of the programs', () => {
      const lives = new Map(events.filter(isOf('tcp_life')).map((event) => [endsOf(event), event]));
      let compared = 0;
      for (const record of logged()) {
        const life = lives.get(loggedEnds(record));
        if (record.error !== null || record.closed_by === 'reset' || life === undefined) continue;
        compared++;
        // SYN and FIN count as one byte each. What was sent and not acknowledged when the last ACK was lost is missing.
        const { bytes_sent, bytes_received, segments_sent, segments_received } = life;
        expect((bytes_received ?? 0) - record.bytes_received).toBeOneOf([0, 1]);
        expect((bytes_sent ?? 0) - record.bytes_sent).toBeOneOf([0, 1, 2]);
        expect(segments_sent).toBeGreaterThan(record.bytes_sent / 1500);
        expect(segments_received).toBeGreaterThan(record.bytes_received / 1500);
      }
      expect(compared).toBeGreaterThan(CONNECTIONS * FAMILIES);
    });

    test('tcp_retransmit_skb, tcp_send_loss_probe, tcp_retransmit_synack: together what the kernel counted', () => {
      const retransmits = events.filter(isOf('tcp_retransmit'));
      const of = (...kinds: RetransmitEvent['retransmit_kind'][]) =>
        retransmits.filter(({ retransmit_kind }) => kinds.includes(retransmit_kind));
      expectAttempts(retransmits.filter(inTheirNamespaces).length, counted.TcpRetransSegs);
      expect(of('syn', 'synack').length).toBe(counted.TcpExtTCPSynRetrans);
      expectAttempts(of('tlp').length + (ledger.filtered['new_data'] ?? 0), counted.TcpExtTCPLossProbes);
      for (const kind of ['rto', 'tlp', 'syn', 'synack'] as const)
        expect(of(kind).length, kind).toBeGreaterThan(0);
      for (const event of of('rto', 'fast', 'tlp')) {
        expect(event.length).toBeLessThanOrEqual(1460);
        expect(event.sequence).not.toBeNull();
        expect(event.congestion_window).toBeGreaterThan(0);
      }
      // The connection's own count rises with each: what its life says in the end.
      const total = events
        .filter(isOf('tcp_life'))
        .reduce((sum, { retransmits: count }) => sum + (count ?? 0), 0);
      expect(total).toBeGreaterThan(counted.TcpRetransSegs / 2);
    });

    test('tcp_retransmit: what its connection has sent so far, which never is more than its life says in the end', () => {
      const lives = new Map(events.filter(isOf('tcp_life')).map((event) => [event.connection_id, event]));
      const retransmits = events.filter(isOf('tcp_retransmit')).filter(inTheirNamespaces);
      const ofSynAcks = retransmits.filter(({ retransmit_kind }) => retransmit_kind === 'synack');
      for (const event of ofSynAcks) expect(event).toMatchObject({ bytes_sent: null, segments_sent: null });
      const byConnection = Map.groupBy(
        retransmits.filter(({ retransmit_kind }) => retransmit_kind !== 'synack'),
        (event) => event.connection_id,
      );
      let compared = 0;
      for (const [id, ofConnection] of byConnection) {
        let [bytes, segments] = [0, 0];
        for (const { bytes_sent, segments_sent, total_retransmits } of ofConnection) {
          expect(bytes_sent).toBeGreaterThanOrEqual(bytes);
          expect(segments_sent).toBeGreaterThanOrEqual(Math.max(1, segments, total_retransmits ?? 0));
          [bytes, segments] = [bytes_sent ?? 0, segments_sent ?? 0];
        }
        const life = lives.get(id ?? '');
        if (life === undefined) continue;
        compared++;
        expect(life.bytes_sent).toBeGreaterThanOrEqual(bytes);
        expect(life.segments_sent).toBeGreaterThanOrEqual(segments);
      }
      expect(compared).toBeGreaterThan(CONNECTIONS / 10);
    });

    test('inet_csk_accept: every accepted connection, owned by the program that accepted it', () => {
      const accepted = new Map(events.filter(isOf('tcp_accept')).map((event) => [endsOf(event), event]));
      const server = parseRecords(output('server'));
      expect(server.length).toBe(CONNECTIONS * FAMILIES);
      for (const record of server) {
        expect(accepted.get(loggedEnds(record)), loggedEnds(record)).toMatchObject({
          pid: record.pid,
          // A name is remembered for 5 s (tasks.ts), and `ip netns exec` becomes the program under one pid.
          comm: expect.stringMatching(/^(connections|ip)$/),
          pid_origin: 'owner',
        });
      }
    });

    test('tcp_send_reset: as many as the kernel counted, each of a connection that was aborted', () => {
      const resets = events.filter(isOf('tcp_reset'));
      const sent = resets
        .filter(({ reset_direction }) => reset_direction === 'sent')
        .filter(inTheirNamespaces);
      expect(sent.length).toBe(counted.TcpOutRsts);
      const aborted = parseRecords(output('client')).filter(({ closed_by }) => closed_by === 'reset');
      expect(aborted.length).toBeGreaterThan(0);
      const ends = new Set(sent.map(endsOf));
      for (const record of aborted) expect(ends).toContain(loggedEnds(record));
    });

    test('tcp_receive_reset: the other end of resets that were not lost', () => {
      const resets = events.filter(isOf('tcp_reset'));
      const received = resets.filter(({ reset_direction }) => reset_direction === 'received');
      expect(received.length).toBeGreaterThan(0);
      const sent = new Set(
        resets
          .filter(({ reset_direction }) => reset_direction === 'sent')
          .map(
            (event) =>
              `${event.remote_address} ${event.remote_port} ${event.local_address} ${event.local_port}`,
          ),
      );
      for (const event of received) expect(sent).toContain(endsOf(event));
    });

    test('the measures of a connection are those that ss shows', () => {
      const [, rtt, window] = /rtt:([\d.]+)\/.* cwnd:(\d+)/.exec(output('ss-held')) ?? [];
      const shown = (name: string) => Number(new RegExp(`${name}:(\\d+)`).exec(output('ss-held'))?.[1]);
      const life = withPort(7002).find(
        (event): event is LifeEvent => event.event === 'tcp_life' && event.remote_port === 7002,
      );
      // The FIN is one more byte and gives one more sample of the round trip.
      expect((life?.bytes_sent ?? 0) - shown('bytes_acked')).toBeOneOf([0, 1]);
      // An eighth of the new mean is the new sample, which is what an emulated CPU makes of it: less than five times.
      expect((life?.srtt_us ?? 0) / (Number(rtt) * 1000)).toBeGreaterThan(7 / 8);
      expect((life?.srtt_us ?? 0) / (Number(rtt) * 1000)).toBeLessThan(5);
      // An idle connection starts slowly again, so its window may have shrunk meanwhile (tcp_cwnd_restart).
      expect(life?.congestion_window).toBeGreaterThanOrEqual(10);
      expect(life?.congestion_window).toBeLessThanOrEqual(Number(window));
      expect((life?.segments_sent ?? 0) - shown('segs_out')).toBeOneOf([1, 2, 3]);
    });

    test('a connection older than the agent has its owner and its direction', () => {
      const [client = 0, server = 0] = output('old-pids').trim().split(' ').map(Number);
      // A reset may answer for a connection that is gone, and has no owner then.
      const old = withPort(7001).filter(({ event }) => event !== 'tcp_reset');
      const active = old.filter(({ remote_port }) => remote_port === 7001);
      const passive = old.filter(({ local_port }) => local_port === 7001);
      expect(active.length).toBeGreaterThan(1);
      expect(passive.length).toBeGreaterThan(1);
      for (const event of active)
        expect(event).toMatchObject({ direction: 'active', pid: client, comm: 'nc' });
      // nc listens no more, so nothing tells that it did.
      for (const event of passive)
        expect(event).toMatchObject({ direction: 'unknown', pid: server, comm: 'nc' });
    });

    test('a CPU that was away while the agent waited is back: its records come too', () => {
      for (const port of [1, 2, 3]) {
        const cpus = withPort(port).map(({ event_id }) => event_id.split('-').at(-2));
        expect(new Set(cpus), `port ${port}`).toEqual(new Set(['1']));
      }
    });

    test('what cannot be loaded is explained, and auto goes on with the tracepoints', () => {
      const [none, other, api] = output('refused').trim().split('\n');
      expect(none).toMatch(/^ktc: there is no tcp_trace\.ko for kernel \S+: `ktc module build` makes it/);
      const release = kernel === '3.10' ? '3\\.10\\.0-\\S+' : '\\S+-amd64';
      expect(other).toMatch(
        new RegExp(`^ktc: /other-kernel\\.ko was built for \\S+-amd64, this kernel is ${release}: `),
      );
      expect(api).toBe(
        'ktc: tcp_trace.ko 1.1.0 speaks API 3, this agent 1 to 2: install the module that came with the agent, ' +
          'then ktc module unload and ktc module load',
      );
      const without = output('check-without');
      if (kernel === '3.10') {
        expect(without).toMatch(
          /^source +FAILED +this kernel has no event \S+: tcp_trace\.ko has its own .*; there is no tcp_trace\.ko for kernel/m,
        );
      } else {
        expect(without).toMatch(/^source +ok +tracepoints, clock mono, 2 CPUs$/m);
        expect(without).toMatch(/^module +ok +not used: there is no tcp_trace\.ko for kernel/m);
      }
    });

    test('ktc check loads no module, and says what it has not looked at', () => {
      expect(output('check-loadable')).toMatch(/^source +ok +module, to be loaded from \/tcp_trace\.ko$/m);
      expect(output('check-loadable')).toMatch(
        /^module +ok +not loaded yet: .* has not looked at its probes: /m,
      );
      expect(output('loaded-by-check').trim()).toBe('0');
    });

    test('kernel.ftrace_enabled switched off is told by the log, the account, /readyz and ktc check', () => {
      const said = 'kernel.ftrace_enabled is 0, so tcp_trace.ko sees nothing: set it to 1';
      expect(output('agent.log')).toContain(said);
      expect(ledger.lost.settings_changed).toBe(1);
      expect(output('not-ready')).toContain('503');
      // Where the kernel has no tracepoints of its own, there is nothing else to use.
      const finding =
        kernel === '3.10' ? 'source +FAILED +this kernel has no event .*;' : 'module +WARNING +not used:';
      expect(output('check-disturbed')).toMatch(new RegExp(`^${finding} kernel\\.ftrace_enabled is 0`, 'm'));
    });

    test('ktc check, module status and /metrics tell of the hooks', () => {
      expect(output('check-with')).toMatch(
        kernel === '3.10'
          ? /^source +ok +module, clock global, 2 CPUs$/m
          : /^source +ok +module, clock mono, 2 CPUs$/m,
      );
      expect(output('check-with')).toMatch(
        /^module +ok +tcp_trace\.ko 1\.1\.0, 9 functions hooked, 0 calls missed$/m,
      );
      expect(output('check-with')).toMatch(/^probe inet_csk_accept +ok +on$/m);
      expect(output('status')).toMatch(/^tcp_send_loss_probe +tcp_send_loss_probe +on +ftrace +0$/m);
      expect(output('metrics')).toMatch(
        /^ktc_module_probe\{function="security_sock_graft",state="on",way="ftrace"\} 1/m,
      );
      expect(output('metrics')).toMatch(/^ktc_module_missed_calls_total\{function="tcp_set_state"\} 0/m);
    });

    test('is not unloaded while the agent traces with it', () => {
      expect(output('unload-refused')).toMatch(/^ktc: tcp_trace\.ko is in use: stop the agent, /);
    });

    test('the kernel log has no complaint', () => {
      expectNoComplaint(output('dmesg'));
    });
  });
});
