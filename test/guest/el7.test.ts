/** The agent and the tools on a kernel of EL7: its filters are the host's, and it has no tracepoints of TCP of its own. */
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { TcpEvent } from '../../src/event/tcp-event.ts';
import { imbalances } from '../../src/ledger/ledger.ts';
import { expectAttempts } from '../support/guest/attempts.ts';
import { buildGuestModule } from '../support/guest/module.ts';
import { countedOnLink, expectNoComplaint, ledgerIn } from '../support/guest/outputs.ts';
import { bootGuest, type GuestResult, guestAgentUnavailable } from '../support/guest.ts';
import { shared } from '../support/shared.ts';
import { parseCsv } from '../support/tool.ts';
import { compile, parseRecords } from '../support/traffic/traffic.ts';

const CONNECTIONS = 20;
const FAMILIES = 3;
const support = join(import.meta.dirname, '../support/guest');
// On newer kernels the same is tested where a filter of one is made that of all: test/system/tools.test.ts and filters.test.ts.
const unavailable = guestAgentUnavailable('3.10');
if (unavailable !== undefined) console.warn(`skipped: the agent on EL7: ${unavailable}`);

describe.skipIf(unavailable !== undefined)('the agent and the tools on Linux 3.10', () => {
  let guest: GuestResult;
  const output = (name: string): string => guest.outputs.get(name)?.toString() ?? '';
  const lines = (name: string): string[] => output(name).trim().split('\n');
  const events = (name: string) => lines(name).map((line) => JSON.parse(line) as TcpEvent);
  const ledgerOf = (name: string) => ledgerIn(output(`${name}.log`));
  /** Of the connections over the link that loses packets. */
  const overLink = (kind: TcpEvent['event']) =>
    events('events').filter(({ event, remote_address }) => event === kind && remote_address !== '127.0.0.1');
  const rows = (tool: string) =>
    parseCsv(output(tool)).filter((row) => !Object.values(row).includes('127.0.0.1'));

  const boot = shared(async () => {
    const booted = await bootGuest({
      kernel: '3.10',
      node: true,
      emulation: 'serial',
      memoryMb: 1536,
      programs: ['/usr/sbin/ip', '/usr/sbin/tc', '/usr/sbin/ethtool', '/usr/bin/ss', '/usr/bin/nstat'],
      modules: ['veth', 'sch_netem', 'tcp_diag'],
      files: {
        '/link.sh': join(support, 'link.sh'),
        '/el7.sh': join(support, 'el7.sh'),
        '/tcp_trace.ko': buildGuestModule('3.10'),
        '/connections': await compile('connections'),
      },
      script: `sh /el7.sh ${CONNECTIONS}`,
    });
    expect(booted.exitCode, booted.console).toBe(0);
    return booted;
  });
  beforeEach(async (context) => {
    guest = await boot(context);
  });

  test('without the module, the agent names it as what helps', () => {
    expect(output('tracepoints')).toMatch(/this kernel has no event \S+: tcp_trace\.ko has its own/);
  });

  test('ktc check loads no module, so the buffers of other tracers keep their records', () => {
    expect(output('check')).toMatch(/^source +ok +module, to be loaded from \/tcp_trace\.ko$/m);
    expect(Number(output('marker'))).toBe(1);
  });

  test('an agent and six tools write no filter, however they end', () => {
    expect(output('failed')).toBe('');
    for (const name of ['together', 'after', 'operator'])
      expect(new Set(lines(`filters-${name}`)), name).toEqual(new Set(['none']));
  });

  test('an agent and six tools take nothing from each other', () => {
    const made = CONNECTIONS * FAMILIES;
    expect(parseRecords(output('server')).length).toBe(made);
    expect(overLink('tcp_accept').length).toBe(made);
    expect(rows('tcpaccept').length).toBe(made);
    for (const [tool, kind] of [
      ['tcpconnect', 'tcp_connect'],
      ['tcpconnlat', 'tcp_connect_latency'],
      ['tcplife', 'tcp_life'],
      ['tcpstates', 'tcp_state'],
    ] as const) {
      expect(overLink(kind).length, kind).toBeGreaterThanOrEqual(made);
      expect(rows(tool).length, tool).toBe(overLink(kind).length);
    }
    const segments = overLink('tcp_retransmit').filter(
      (event) => event.event === 'tcp_retransmit' && event.retransmit_kind !== 'tlp',
    );
    expect(segments.length).toBeGreaterThan(0);
    expect(rows('tcpretrans').length).toBe(segments.length);
  });

  test('nothing is lost, and the agent sees what the kernel counts', () => {
    const ledger = ledgerOf('events');
    expect(imbalances(ledger)).toEqual([]);
    expect([ledger.lost.kernel_overrun, ledger.lost['probe_missed'] ?? 0]).toEqual([0, 0]);
    const counted = countedOnLink(output);
    expect(counted.TcpRetransSegs).toBeGreaterThan(0);
    expectAttempts(overLink('tcp_retransmit').length, counted.TcpRetransSegs);
  });

  test('a filter of another program is left alone, and told by the log, the account, /readyz and ktc check', () => {
    const said = 'another program has filtered ktc:tcp_set_state for the whole host, to dport == 9';
    expect(output('events.log')).toContain(said);
    expect(ledgerOf('events').lost.settings_changed).toBe(1);
    expect(output('not-ready')).toContain('503');
    expect(output('check-foreign')).toContain(said);
    expect(output('filters-foreign')).toContain('dport == 9');
  });

  test("the agent itself decides the operator's filter, and counts what it leaves out", () => {
    const seen = events('filtered').filter(({ event }) => event === 'tcp_state');
    expect(seen.length).toBeGreaterThan(0);
    for (const event of seen) expect([event.local_port, event.remote_port]).toContain(2);
    expect(ledgerOf('filtered').filtered['probe_filter']).toBeGreaterThan(0);
    expect(imbalances(ledgerOf('filtered'))).toEqual([]);
  });

  test('the module stays while it is used: rmmod says EAGAIN', () => {
    expect(output('rmmod')).toContain('Resource temporarily unavailable');
  });

  test('the kernel log has no complaint', () => {
    expectNoComplaint(output('dmesg'));
  });
});
