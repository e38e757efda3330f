/** What /proc says of threads whose names try to be something else. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  parseStat,
  parseStatusNumber,
  readAllThreads,
  readThread,
} from '../../../../src/source/host/proc-thread.ts';

const USER = 0x40_0000;
const KERNEL = 0x20_8040;

/** As `do_task_stat` writes it, with the flags and the start of a thread. */
function statOf(name: string | Buffer, flags = USER, start = 4_711): Buffer {
  const behind = `S 1 42 42 0 -1 ${flags} 0 0 0 0 1 2 0 0 20 0 1 0 ${start} 0 0 18446744073709551615`;
  return Buffer.concat([Buffer.from('42 ('), Buffer.from(name), Buffer.from(`) ${behind}\n`)]);
}

/** As `proc_pid_status` writes it: the name's line feed and backslash are escaped. */
function statusOf(name: string): Buffer {
  const escaped = name.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return Buffer.from(
    `Name:\t${escaped}\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t42\nNgid:\t0\nPid:\t43\nPPid:\t1\nUid:\t1000\t1000\t1000\t1000\n`,
  );
}

const NAMES = [
  'x\rTgid:\t1',
  'x\nTgid:\t1',
  'x\nUid:\t0',
  'a) R 1 1 1 0',
  '((((',
  '))))',
  ') S 1 2',
  ' ',
  '',
  'trailing  ',
  'back\\slash',
  '\\n',
  '\u2028Tgid:\t1',
  'ünï',
];

describe('a name', () => {
  test.each(NAMES)('%j is read whole, and forges nothing', (name) => {
    expect(parseStat(statOf(name), 42)).toEqual({
      who: { pid: 42, comm: name, isKernel: false },
      startTicks: 4_711,
    });
    expect(parseStatusNumber(statusOf(name), 'Tgid')).toBe(42);
    expect(parseStatusNumber(statusOf(name), 'Uid')).toBe(1000);
  });

  test('of any bytes is read whole', () => {
    const name = fc
      .uint8Array({ maxLength: 15 })
      .map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0)));
    fc.assert(
      fc.property(name, (bytes) => {
        expect(parseStat(statOf(bytes), 42)?.who).toMatchObject({ pid: 42, comm: bytes.toString('utf8') });
      }),
    );
  });

  test.each([
    ['kworker/0:1-events', 'kworker/0:1'],
    ['kworker/u4:2+flush-8:0', 'kworker/u4:2'],
    ['kworker/0:1H', 'kworker/0:1H'],
    ['kworker/R-rcu_gp', 'kworker/R-rcu_g'],
    ['ksoftirqd/0', 'ksoftirqd/0'],
    ['irq/27-some-long-device', 'irq/27-some-lon'],
  ])('of the kernel, %s, is %s without what it works on', (said, name) => {
    expect(parseStat(statOf(said, KERNEL), 42)?.who).toEqual({ pid: 42, comm: name, isKernel: true });
    // A process may have any name.
    expect(parseStat(statOf(said), 42)?.who).toEqual({ pid: 42, comm: said, isKernel: false });
  });
});

test.each(['', '42', '42 (x', '42 (x) S 1', '42 )x( S 1 2'])('%j is no stat', (text) => {
  expect(parseStat(Buffer.from(text), 42)).toBeNull();
});

describe('of this host', () => {
  test('this process is read, and a number that nobody has is not', () => {
    const name = readFileSync('/proc/self/comm', 'utf8').slice(0, -1);
    expect(readThread(process.pid)).toMatchObject({
      who: { pid: process.pid, comm: name, isKernel: false },
    });
    expect(readThread(2 ** 22 + 1)).toBeNull();
  });

  test('every thread of this process belongs to it, and no more are read than wanted', () => {
    const threads = readAllThreads(100_000);
    const own = [...threads].filter(([, { who }]) => who.pid === process.pid);
    expect(own.length).toBeGreaterThan(1);
    for (const [thread] of own) expect(readThread(thread)?.who.pid ?? process.pid).toBe(process.pid);
    expect(readAllThreads(3).size).toBe(3);
  });
});
