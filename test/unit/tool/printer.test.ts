import { describe, expect, it } from 'vitest';
import type { TcpEvent } from '../../../src/event/tcp-event.ts';
import { notesOf } from '../../../src/tool/printer.ts';
import { TOOLS, type ToolName } from '../../../src/tool/tool.ts';
import { taskOf } from '../../support/tasks.ts';
import { choiceOf, type DraftFields, draftOf, print, START_SECONDS } from './drafts.ts';

const headers: [ToolName, string][] = [
  ['tcpretrans', 'TIME PID IP LADDR:LPORT T> RADDR:RPORT STATE'],
  ['tcplife', 'PID COMM LADDR LPORT RADDR RPORT TX_KB RX_KB MS'],
  ['tcpstates', 'SKADDR C-PID C-COMM LADDR LPORT RADDR RPORT OLDSTATE -> NEWSTATE MS'],
  ['tcpconnect', 'PID COMM SADDR SPORT DADDR DPORT'],
  ['tcpaccept', 'PID COMM RADDR RPORT SADDR SPORT'],
  ['tcpconnlat', 'PID COMM SADDR SPORT DADDR DPORT LAT(ms)'],
];
const words = (line = '') => line.split(/ +/).join(' ');
const localClock = new Date(START_SECONDS * 1000).toTimeString().slice(0, 8);
const ipv6 = { version: 6, local: '2001:db8:17:4::9', remote: '2001:db8:17:9::c9' } as const;

describe('the default columns', () => {
  it.each(headers)('of %s are those of KTC', (tool, header) => {
    expect(words(print(tool, {}, [])[0])).toBe(header);
  });

  const lines: [ToolName, DraftFields, string][] = [
    [
      'tcpretrans',
      { retransmitKind: 'rto', state: 1 },
      `${localClock} 4242 4 10.17.4.9:5432 R> 10.17.9.201:41822 ESTABLISHED`,
    ],
    [
      'tcplife',
      { bytesSent: 2047, bytesReceived: 1_048_576, durationUs: 1_234_567 },
      '4242 postgres 10.17.4.9 5432 10.17.9.201 41822 1 1024 1234.57',
    ],
    [
      'tcpstates',
      { oldState: 1, newState: 4, durationUs: 1234 },
      's-1 4242 postgres 10.17.4.9 5432 10.17.9.201 41822 ESTABLISHED -> FIN_WAIT1 1.234',
    ],
    ['tcpconnect', {}, '4242 postgres 10.17.4.9 5432 10.17.9.201 41822'],
    ['tcpaccept', {}, '4242 postgres 10.17.9.201 41822 10.17.4.9 5432'],
    ['tcpconnlat', { latencyUs: 25_004 }, '4242 postgres 10.17.4.9 5432 10.17.9.201 41822 25.00'],
  ];
  it.each(lines)('of %s are filled', (tool, fields, line) => {
    expect(words(print(tool, {}, [draftOf(fields)])[1])).toBe(line);
  });

  it('show - for what is not known, and never 0', () => {
    const unknown = { isOwner: false, localPort: null, remote: null, remotePort: null };
    expect(words(print('tcplife', {}, [draftOf(unknown)])[1])).toBe('- - 10.17.4.9 - - - - - -');
    expect(words(print('tcpretrans', { sequence: true }, [draftOf(unknown)])[1])).toBe(
      `${localClock} - 4 10.17.4.9:- R> -:- - -`,
    );
  });

  it('name the process on the CPU in tcpstates, which says so', () => {
    expect(words(print('tcpstates', {}, [draftOf({ isOwner: false })])[1])).toContain('4242 postgres');
  });
});

describe('the table', () => {
  const at = (header = '', title: string) => header.indexOf(title);

  it('gives each column its place', () => {
    const [header = '', line = ''] = print('tcpconnect', {}, [draftOf({})]);
    expect(line.indexOf('10.17.9.201')).toBe(at(header, 'DADDR'));
  });

  it('pushes columns only as far as a long address must, and not at all with --wide', () => {
    const draft = draftOf(ipv6);
    const [header = '', line = ''] = print('tcpconnlat', {}, [draft]);
    expect(words(line)).toBe('4242 postgres 2001:db8:17:4::9 5432 2001:db8:17:9::c9 41822 -');
    expect(line.indexOf('2001:db8:17:4')).toBe(at(header, 'SADDR'));
    const longest = draftOf({ ...ipv6, local: 'fd00:1111:2222:3333:4444:5555:6666:7777' });
    const [wideHeader = '', wide = ''] = print('tcpconnlat', { wide: true }, [longest]);
    expect(wide.indexOf('2001:db8:17:9')).toBe(at(wideHeader, 'DADDR'));
    expect(wide.indexOf('41822')).toBe(at(wideHeader, 'DPORT'));
  });

  it('aligns numbers that are compared by size on the right', () => {
    const [header = '', line = ''] = print('tcplife', {}, [draftOf({ bytesSent: 5000, bytesReceived: 0 })]);
    expect(line.lastIndexOf(' 4 ') + 2).toBe(at(header, 'TX_KB') + 'TX_KB'.length);
  });

  it('lets no process name steer the terminal', () => {
    const draft = draftOf({ task: taskOf(1, 'a\x1b[2J\nb') });
    expect(print('tcpconnect', {}, [draft])[1]).toContain('a\\x1b[2J\\x0ab');
  });
});

describe('extra columns', () => {
  it('are the time, the seconds since the first event, IP, and the sequence number', () => {
    const drafts = [draftOf({ time: 5e9 }), draftOf({ ...ipv6, time: 6.5e9 })];
    const lines = print('tcplife', { time: true, timestamp: true, wide: true }, drafts).map(words);
    expect(lines[0]).toMatch(/^TIME TIME\(s\) PID COMM IP LADDR /);
    expect(lines[1]).toMatch(/^\d\d:\d\d:\d\d 0\.000 4242 postgres 4 /);
    expect(lines[2]).toMatch(/^\d\d:\d\d:\d\d 1\.500 4242 postgres 6 /);
    expect(words(print('tcpretrans', { sequence: true }, [draftOf({ sequence: 77 })])[1])).toMatch(/ 77$/);
  });
});

describe('--csv', () => {
  it('has a header, a cell for each value, and quotes what needs it', () => {
    const draft = draftOf({ task: taskOf(7, 'a,"b"'), state: 1 });
    expect(print('tcpretrans', { csv: true }, [draft])[0]).toBe(
      'TIME,PID,IP,LADDR,LPORT,T>,RADDR,RPORT,STATE',
    );
    expect(print('tcpaccept', { csv: true }, [draft])).toEqual([
      'PID,COMM,IP,RADDR,RPORT,SADDR,SPORT',
      '7,"a,""b""",4,10.17.9.201,41822,10.17.4.9,5432',
    ]);
    expect(print('tcpstates', { csv: true }, [draft])[0]).not.toContain('->');
  });

  it('leaves the cell of an unknown value empty', () => {
    expect(print('tcplife', { csv: true }, [draftOf({ isOwner: false })])[1]).toBe(
      ',,4,10.17.4.9,5432,10.17.9.201,41822,,,',
    );
  });
});

describe('--json', () => {
  it('gives published events without a header', () => {
    const [line = '', ...more] = print('tcpconnlat', { json: true }, [draftOf({ latencyUs: 9 })]);
    expect(more).toEqual([]);
    expect(JSON.parse(line) as TcpEvent).toMatchObject({
      event: 'tcp_connect_latency',
      latency_us: 9,
      timestamp: '2026-11-24T02:13:07.000000000Z',
    });
  });
});

describe('--count', () => {
  it('gives the most frequent first, and nothing before the end', () => {
    const [a, b] = [draftOf({ remotePort: 1 }), draftOf({ remotePort: 2 })];
    expect(print('tcpretrans', { count: true }, [a, b, b]).map(words)).toEqual([
      'LADDR:LPORT RADDR:RPORT RETRANSMITS',
      '10.17.4.9:5432 10.17.9.201:2 2',
      '10.17.4.9:5432 10.17.9.201:1 1',
    ]);
    expect(print('tcpconnect', { count: true, csv: true }, [a, a])).toEqual([
      'SADDR,DADDR,DPORT,CONNECTS',
      '10.17.4.9,10.17.9.201,1,2',
    ]);
  });
});

describe('notes', () => {
  const notes = (tool: ToolName, values: Record<string, boolean> = {}) =>
    notesOf(TOOLS[tool], choiceOf(tool, values), false).join('\n');

  it('say once what the native tracepoints do not tell, and nothing where all is known', () => {
    expect(notes('tcplife')).toMatch(/^TX_KB, RX_KB: unknown to the native tracepoints; tcp_trace.ko tells/);
    expect(notes('tcpaccept')).toMatch(/^PID, COMM: unknown/);
    expect(notes('tcpretrans', { sequence: true })).toMatch(/^SEQ: unknown/);
    expect(notes('tcpretrans', { 'loss-probes': true })).toMatch(/^loss probes: shown as R>/);
    expect(notes('tcpstates')).toBe('');
    expect(notes('tcplife', { json: true })).toBe('');
    expect(notesOf(TOOLS.tcplife, choiceOf('tcplife'), true)).toEqual([]);
  });

  it('say why a filter can show nothing', () => {
    const pid = choiceOf('tcpaccept', { pid: '7', json: true });
    expect(notesOf(TOOLS.tcpaccept, pid, false).join()).toMatch(
      /^--pid shows nothing: the native tracepoints/,
    );
    const unit = choiceOf('tcpaccept', { unit: 'nginx.service', json: true });
    expect(notesOf(TOOLS.tcpaccept, unit, false).join()).toMatch(/^--unit shows nothing: /);
    expect(notesOf(TOOLS.tcpaccept, pid, true)).toEqual([]);
    const uid = choiceOf('tcpconnect', { uid: '7', from: 'x' });
    expect(notesOf(TOOLS.tcpconnect, uid, true).join()).toMatch(
      /^the user of a process is not in a recording/,
    );
  });
});
