import { describe, expect, it } from 'vitest';
import { createTop } from '../../../src/tool/top.ts';
import { TOP_GROUP_NAMES, TOP_GROUPS, type TopGroupName } from '../../../src/tool/top-group.ts';
import { taskOf } from '../../support/tasks.ts';
import { draftOf } from './drafts.ts';

const SECOND = 1e9;
const cells = (line = '') => line.trim().split(/ {2,}| (?=\d)/);

describe('ktc top', () => {
  const retransmit = (remote: string, seconds: number) => draftOf({ remote, time: seconds * SECOND });

  it('shows the worst first, with rates, share and total', () => {
    const top = createTop({ group: TOP_GROUPS.peer, interval: SECOND, start: 0 });
    for (const at of [0.1, 0.2, 9.5]) top.add(retransmit('192.0.2.1', at));
    for (let index = 0; index < 9; index++) top.add(retransmit('192.0.2.2', 8.05 + index / 10));
    const [about, header, ...rows] = top.lines(10.5 * SECOND, 20);
    expect(about).toBe('12 retransmits with 2 peers in 10.5 s, by 1 s');
    expect(header).toMatch(/^PEER +NOW\/s +AVG\/s +SHARE HISTORY +TOTAL$/);
    expect(rows.map((row) => row.slice(0, 38).trim().split(/ +/))).toEqual([
      ['192.0.2.2', '0.0', '0.9', '75', '%'],
      ['192.0.2.1', '1.0', '0.3', '25', '%'],
    ]);
    expect(rows.map((row) => cells(row).at(-1))).toEqual(['9', '3']);
  });

  it('draws a bar for each interval, all peers on one scale, the newest on the right', () => {
    const top = createTop({ group: TOP_GROUPS.peer, interval: SECOND, start: 0 });
    for (let count = 0; count < 8; count++) top.add(retransmit('192.0.2.1', 1.5));
    top.add(retransmit('192.0.2.2', 2.5));
    const [, header = '', ...rows] = top.lines(2.9 * SECOND, 20);
    const at = header.indexOf('HISTORY');
    expect(rows.map((row) => row.slice(at, at + 30))).toEqual([' █ '.padStart(30), '▁'.padStart(30)]);
  });

  it('forgets what is older than its window, but for the total', () => {
    const top = createTop({ group: TOP_GROUPS.peer, interval: SECOND, start: 0 });
    for (const at of [0.5, 20.5]) top.add(retransmit('192.0.2.1', at));
    const [about, , row = ''] = top.lines(40 * SECOND, 20);
    expect(about).toBe('1 retransmit with 1 peer in 29.0 s, by 1 s');
    expect(row).toMatch(/ 2$/);
    expect(top.lines(100 * SECOND, 20)).toHaveLength(2);
  });

  it('counts what has just begun, but does not call it the rate of now', () => {
    const top = createTop({ group: TOP_GROUPS.peer, interval: SECOND, start: 0 });
    for (const at of [0.5, 29.5, 30.2, 30.3, 30.4]) top.add(retransmit('192.0.2.1', at));
    const [about, header = '', row = ''] = top.lines(30.5 * SECOND, 20);
    expect(about).toBe('4 retransmits with 1 peer in 29.5 s, by 1 s');
    expect(row).toMatch(/^192\.0\.2\.1 +1\.0 +0\.1 +100 % /);
    expect(row.slice(header.indexOf('HISTORY')).trimStart()).toMatch(/^▃█ +5$/);
  });

  it('shows no more rows than there is room for, and counts what it cannot remember', () => {
    const top = createTop({ group: TOP_GROUPS.peer, interval: SECOND, start: 0 });
    for (let peer = 0; peer < 8_195; peer++) top.add(retransmit(`10.0.${peer >> 8}.${peer & 255}`, 0.5));
    const lines = top.lines(SECOND, 5);
    expect(lines).toHaveLength(7);
    expect(lines[0]).toContain(', 3 of others not counted by peer');
    // A minute later all of these are quiet, and make room.
    top.add(retransmit('192.0.2.9', 60.5));
    expect(top.lines(61 * SECOND, 5)[2]).toMatch(/^192\.0\.2\.9 /);
  });

  it.each<[TopGroupName, string]>([
    ['peer', '192.0.2.1'],
    ['unit', 'nginx.service'],
    ['process', 'nginx[80]'],
    ['port', '5432'],
    ['kind', 'fast'],
  ])('counts by %s', (name, label) => {
    const group = TOP_GROUPS[name];
    const top = createTop({ group, interval: SECOND, start: 0 });
    const task = taskOf(80, 'nginx', { unit: 'nginx.service' });
    const known = { ...retransmit('192.0.2.1', 0.5), task, retransmitKind: 'fast' as const };
    // Whoever was on the CPU has nothing to do with it.
    const unknown = { ...known, isOwner: false };
    top.add(known);
    top.add(unknown);
    const [about, header, ...rows] = top.lines(SECOND, 20);
    const labels = name === 'unit' || name === 'process' ? [label, '-'] : [label];
    expect(header?.startsWith(`${group.title} `)).toBe(true);
    expect(rows.map((row) => row.split(' ')[0])).toEqual(labels);
    expect(about).toContain(labels.length === 1 ? `1 ${group.noun} in` : `2 ${group.plural} in`);
  });

  it('has a key for each group', () => {
    expect(new Set(TOP_GROUP_NAMES.map((name) => TOP_GROUPS[name].key)).size).toBe(TOP_GROUP_NAMES.length);
  });
});
