import { describe, expect, it } from 'vitest';
import type {
  LifeEvent,
  RetransmitEvent,
  RetransmitSummaryEvent,
  StateEvent,
  TcpEvent,
} from '../../../../src/event/tcp-event.ts';
import { createTable } from '../../../../src/sink/stdout/event-table.ts';
import { fullEvent } from '../../../support/sample-events.ts';

const common = {
  schema_version: 1,
  event_id: 'boot-1-0-1',
  timestamp: '2026-11-24T02:13:07.123456789Z',
  host: 'db-17',
  host_id: 'h',
  boot_id: 'b',
  kernel: '3.10.0-862.el7.x86_64',
  labels: {},
  pid: 4242,
  comm: 'postgres',
  pid_origin: 'owner',
  cpu: 0,
  netns: null,
  ip_version: 4,
  local_address: '10.17.4.9',
  local_port: 5432,
  remote_address: '10.17.9.201',
  remote_port: 41822,
  connection_id: 'c',
  community_id: '1:x',
  direction: 'passive',
} as const;

const state: StateEvent = {
  ...fullEvent('tcp_state'),
  ...common,
  old_state: 'ESTABLISHED',
  new_state: 'FIN_WAIT1',
  duration_us: 1_234,
};

const retransmit: RetransmitEvent = {
  ...fullEvent('tcp_retransmit'),
  ...common,
  state: 'ESTABLISHED',
  retransmit_kind: 'rto',
};

const summary: RetransmitSummaryEvent = {
  ...fullEvent('tcp_retransmit_summary'),
  ...common,
  pid: null,
  comm: null,
  pid_origin: null,
  local_port: null,
  remote_port: null,
  connection_id: null,
  community_id: null,
  direction: null,
  interval_us: 60_000_000,
  retransmits: 17,
};

const table = createTable({ color: false });
const localTime = `${new Date(common.timestamp).toTimeString().slice(0, 8)}.123`;

const detailOf = (event: TcpEvent) => table.row(event).slice(table.header.indexOf('DETAIL'));

describe('the table', () => {
  it('puts every cell below its title', () => {
    expect(`${table.header}\n${table.row(state)}`).toBe(
      [
        'TIME         EVENT   PID    COMM            LADDR:LPORT           RADDR:RPORT           DETAIL',
        `${localTime} state   4242   postgres        10.17.4.9:5432        10.17.9.201:41822     ESTABLISHED -> FIN_WAIT1 1.2 ms`,
      ].join('\n'),
    );
  });

  it('tells every kind of event in its own words', () => {
    const life: LifeEvent = {
      ...fullEvent('tcp_life'),
      ...common,
      duration_us: 12_400,
      bytes_sent: 200,
      bytes_received: 1_048_576,
    };
    expect(detailOf(state)).toBe('ESTABLISHED -> FIN_WAIT1 1.2 ms');
    expect(detailOf({ ...state, old_state: 'SYN_SENT', duration_us: null })).toBe('SYN_SENT -> FIN_WAIT1 -');
    expect(detailOf(retransmit)).toBe('rto in ESTABLISHED');
    expect(detailOf({ ...retransmit, retransmit_kind: 'unknown' })).toBe('ESTABLISHED');
    expect(
      detailOf({ ...fullEvent('tcp_reset'), ...common, state: 'SYN_SENT', reset_direction: 'received' }),
    ).toBe('reset received SYN_SENT');
    expect(detailOf({ ...fullEvent('tcp_connect_latency'), ...common, latency_us: 312 })).toBe(
      'connected in 0.3 ms',
    );
    expect(detailOf(life)).toBe('life 12 ms tx 200 B rx 1.0 MB');
    expect(detailOf({ ...life, bytes_sent: null, bytes_received: null })).toBe('life 12 ms');
    expect(table.row(summary)).toBe(
      `${localTime} summary -      -               10.17.4.9:-           10.17.9.201:-         17 retransmits in 60.0 s`,
    );
    const { timestamp } = common;
    const ledger = { emitted: 512, 'lost.kernel_overrun': 2, 'lost.crash': 1 };
    expect(table.row({ ...fullEvent('host_status'), timestamp, uptime_s: 60, ledger })).toBe(
      `${localTime} status  -      -               -                     -                     up 60.0 s, 512 events, 3 lost`,
    );
    expect(table.row({ ...fullEvent('tcp_accept'), ...common })).toMatch(/ accept .*10\.17\.9\.201:41822$/);
    expect(table.row({ ...fullEvent('tcp_connect'), ...common })).toMatch(/ connect .*10\.17\.9\.201:41822$/);
  });

  it.each([
    [7, '7 us'],
    [99, '99 us'],
    [100, '0.1 ms'],
    [9_949, '9.9 ms'],
    [12_000, '12 ms'],
    [999_400, '999 ms'],
    [1_500_000, '1.5 s'],
    [12_340_000, '12.3 s'],
    [3_600_000_000, '3600 s'],
  ])('shows %i microseconds as %s', (latency_us, shown) => {
    expect(detailOf({ ...fullEvent('tcp_connect_latency'), ...common, latency_us })).toBe(
      `connected in ${shown}`,
    );
  });

  it('fits a long line into 120 columns', () => {
    const row = table.row({
      ...state,
      pid: 999_999,
      comm: 'a-name-of-15-by',
      local_address: '210.117.104.119',
      remote_address: '210.117.104.219',
      local_port: 65_535,
      remote_port: 65_535,
      old_state: 'ESTABLISHED',
      new_state: 'CLOSE_WAIT',
      duration_us: 999_400,
    });
    expect(row.length).toBeLessThanOrEqual(120);
  });

  it('puts IPv6 addresses in brackets and aligns again as soon as there is room', () => {
    const row = table.row({
      ...state,
      ip_version: 6,
      local_address: '2001:db8::17:4:9',
      remote_address: '::1',
    });
    expect(row).toContain(' [2001:db8::17:4:9]:5432 [::1]:41822 ');
    expect(row.indexOf('ESTABLISHED')).toBe(table.header.indexOf('DETAIL'));
  });

  it('shows what is not known as a dash', () => {
    const row = table.row({
      ...state,
      comm: null,
      remote_address: null,
      remote_port: null,
      local_port: null,
    });
    expect(row).toContain(' 4242   -               10.17.4.9:-           -:-                   ESTABLISHED');
  });

  it('escapes what would steer the terminal or reorder the line', () => {
    expect(table.row({ ...state, comm: 'a\x1b[2Jb\n\u009b\u202e' })).toContain(
      ' a\\x1b[2Jb\\x0a\\x9b\\u{202e} ',
    );
  });

  it('colours only retransmits, and only when asked', () => {
    const colored = createTable({ color: true });
    expect(colored.row(retransmit)).toBe(`\x1b[31m${table.row(retransmit)}\x1b[0m`);
    expect(colored.row(state)).toBe(table.row(state));
  });
});
