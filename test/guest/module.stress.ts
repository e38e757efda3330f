/** tcp_trace.ko under stress: it comes, goes, is shared and runs short of memory while connections come and go. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { buildGuestModule } from '../support/guest/module.ts';
import {
  bootGuest,
  type GuestKernel,
  type GuestResult,
  guestUnavailable,
  MODULE_KERNELS,
} from '../support/guest.ts';
import { compile } from '../support/traffic/traffic.ts';

const LOADS = 200;
const CYCLES = 500;
const CONNECTIONS = 20_000;
/** SYN_SENT and ESTABLISHED for who connects, ESTABLISHED for who accepts, then three for each until CLOSE. */
const CHANGES_PER_CONNECTION = 9;
/** Bits of /proc/sys/kernel/tainted that say no more than that the module is ours (admin-guide/tainted-kernels.rst). */
const OUT_OF_TREE = 1 << 12;
const UNSIGNED = 1 << 13;
const PERF = '/usr/bin/perf';
const support = join(import.meta.dirname, '../support/guest');

const unavailable = new Map(
  MODULE_KERNELS.map((kernel) => [
    kernel,
    guestUnavailable(kernel) ??
      (existsSync(PERF) ? undefined : `${PERF} is not there (apt-get install linux-perf)`),
  ]),
);
const guests = new Map<GuestKernel, GuestResult>();

async function stress(kernel: GuestKernel, module: string): Promise<GuestResult> {
  return bootGuest({
    kernel,
    emulation: 'serial',
    programs: ['/usr/sbin/ip', '/usr/sbin/tc', PERF],
    modules: ['sch_netem'],
    files: {
      '/module-stress.sh': join(support, 'module-stress.sh'),
      '/tcp_trace.ko': module,
      '/connections': await compile('connections'),
      '/steady': await compile('steady'),
      '/acceptors': await compile('acceptors'),
    },
    script: `sh /module-stress.sh ${LOADS} ${CYCLES} ${CONNECTIONS}`,
    memoryMb: 512,
    timeoutMs: 1_200_000,
  });
}

// At the same time: each takes minutes, and no more than one of this machine's CPUs.
beforeAll(async () => {
  const built = MODULE_KERNELS.filter((kernel) => unavailable.get(kernel) === undefined).map(
    (kernel) => [kernel, buildGuestModule(kernel)] as const,
  );
  await Promise.all(built.map(async ([kernel, module]) => guests.set(kernel, await stress(kernel, module))));
}, 1_260_000);

describe.each(MODULE_KERNELS)('tcp_trace.ko under stress on Linux %s', (kernel) => {
  const reason = unavailable.get(kernel);
  if (reason !== undefined) console.warn(`skipped: stress of tcp_trace.ko on ${kernel}: ${reason}`);

  describe.skipIf(reason !== undefined)('in one boot', () => {
    const output = (name: string): string => guests.get(kernel)?.outputs.get(name)?.toString() ?? '';
    const lines = (name: string): string[] => output(name).trim().split('\n');
    const number = (name: string): number =>
      Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(output('numbers'))?.[1]);

    beforeAll(() => {
      const guest = guests.get(kernel);
      expect(guest?.exitCode, guest?.console).toBe(0);
      console.log(
        `${kernel}, milliseconds and connections of each part, hooks, numbers:\n` +
          `${output('parts')}${output('probes')}${output('numbers')}`,
      );
    });

    test('connections come and go all the time', () => {
      const opened = lines('parts').map((line) => line.split(' '));
      expect(opened.length).toBeGreaterThan(0);
      for (const [part, , connections] of opened) expect(Number(connections), part).toBeGreaterThan(0);
    });

    test(`${CYCLES} cycles of all events and of single ones hook what was asked for, and nothing stays`, () => {
      expect(number('cycles')).toBeGreaterThanOrEqual(CYCLES);
      expect(number('cycles_wrong')).toBe(0);
    });

    test(`${LOADS} times loaded and unloaded, it loads once more`, () => {
      expect(output('dmesg').match(/tcp_trace: api/g)?.length).toBe(LOADS + 1);
    });

    test('an instance goes on recording when another one leaves', () => {
      expect(number('b_left')).toBeGreaterThan(0);
      expect(number('b_later')).toBe(number('b_left'));
      expect(number('a_later')).toBeGreaterThan(number('a_when_b_left'));
    });

    test('unloading is refused while it is enabled, and nothing is lost by that', () => {
      expect(number('refused')).toBe(1);
      expect(number('a_after_refusal')).toBeGreaterThan(number('a_when_refused'));
    });

    test('an instance can be made, used and removed, still enabled, while memory is reclaimed', () => {
      expect(number('reclaimed_after')).toBeGreaterThan(number('reclaimed_before'));
      expect(number('oom_kills')).toBe(0);
      expect(number('pressed_wrong')).toBe(0);
      expect(number('a_under_pressure')).toBeGreaterThan(number('a_after_refusal'));
    });

    test('perf is a user like an instance: it comes first, leaves first, and the instance goes on', () => {
      expect(number('perf_alone_wrong')).toBe(0);
      expect(number('perf_counted')).toBeGreaterThan(0);
      expect(number('a_after_perf')).toBeGreaterThan(number('a_when_perf_left'));
    });

    test('an instance can be removed while it records, and another one goes on', () => {
      expect(number('removed_wrong')).toBe(0);
    });

    test('another user of ftrace and kprobes on the same functions come and go beside it', () => {
      expect(number('shared_wrong')).toBe(0);
      for (const who of ['set_state', 'graft', 'kprobe_state', 'kprobe_graft'])
        expect(number(`shared_${who}`), who).toBeGreaterThan(0);
    });

    test('it records again each time that kernel.ftrace_enabled is back', () => {
      expect(number('switched_wrong')).toBe(0);
    });

    test('1,100 tasks that waited in accept() get a connection each, and make an event each', () => {
      expect(number('accepted_connections')).toBe(1100);
      expect(number('accepted_events')).toBe(1100);
    });

    test(`each of ${CONNECTIONS} connections is recorded, while others enable and disable the same events`, () => {
      const made = lines('made').map((line) => JSON.parse(line) as { connections: number; failed: number });
      const connections = made.reduce((sum, run) => sum + run.connections, 0);
      expect(made.filter(({ failed }) => failed > 0)).toEqual([]);
      expect(connections).toBeGreaterThanOrEqual(CONNECTIONS);
      expect(number('counted_resets')).toBe(0);
      expect(number('counted_accepts')).toBe(connections);
      // And the CLOSE of each run's listening socket.
      expect(number('counted_states')).toBe(connections * CHANGES_PER_CONNECTION + made.length);
      if (kernel !== '3.10') expect(number('counted_states')).toBe(number('counted_kernel'));
      expect(number('counted_states')).toBe(number('counted_perf'));
    });

    test('no hook has missed a call', () => {
      expect(lines('probes').length).toBe(9);
      for (const line of lines('probes')) expect(line).toMatch(/ off ftrace nmissed=0$/);
    });

    test('the kernel has nothing to complain about', () => {
      const [, since] = output('dmesg').split('stress begins');
      // Of lockdep, where a kernel has it, each report begins with one of these.
      expect(since).not.toMatch(/WARNING:|BUG:|Oops|Call Trace|INFO:|stall|hung/);
      // What the log is too short for.
      expect(number('tainted') & ~(OUT_OF_TREE | UNSIGNED)).toBe(0);
    });
  });
});
