/** tcp_trace.ko at the edges: whom accept(2) gives a connection to, and ftrace that dies under it and under the agent. */
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { buildGuestModule, buildKillFtrace } from '../support/guest/module.ts';
import { COMPLAINTS, ledgerIn } from '../support/guest/outputs.ts';
import { bootGuest, type GuestResult, guestAgentUnavailable, MODULE_KERNELS } from '../support/guest.ts';
import { shared } from '../support/shared.ts';
import { compile, type SteadyResult } from '../support/traffic/traffic.ts';

/** More than the kretprobe has instances (KTC_MAX_ACCEPTORS). */
const ACCEPTORS = 1100;
const KRETPROBE_INSTANCES = 1024;
const support = join(import.meta.dirname, '../support/guest');

describe.each(MODULE_KERNELS)('tcp_trace.ko at the edges on Linux %s', (kernel) => {
  const unavailable = guestAgentUnavailable(kernel);
  if (unavailable !== undefined) console.warn(`skipped: edges of tcp_trace.ko on ${kernel}: ${unavailable}`);

  describe.skipIf(unavailable !== undefined)('in one boot', () => {
    let guest: GuestResult;
    const output = (name: string): string => guest.outputs.get(name)?.toString() ?? '';
    const number = (name: string): number | null => {
      const found = new RegExp(`^${name} (\\d+)$`, 'm').exec(output('numbers'))?.[1];
      return found === undefined ? null : Number(found);
    };
    const boot = shared(async () => {
      const booted = await bootGuest({
        kernel,
        node: true,
        emulation: 'serial',
        files: {
          '/module-limits.sh': join(support, 'module-limits.sh'),
          '/tcp_trace.ko': buildGuestModule(kernel),
          '/kretprobe.ko': buildGuestModule(kernel, 'kretprobe'),
          '/kill_ftrace.ko': buildKillFtrace(kernel),
          '/acceptors': await compile('acceptors'),
          '/steady': await compile('steady'),
        },
        script: `sh /module-limits.sh ${ACCEPTORS}`,
      });
      expect(booted.exitCode, booted.console).toBe(0);
      return booted;
    });
    beforeEach(async (context) => {
      guest = await boot(context);
    });

    /** The thread and the local port of each accept that was recorded. */
    function accepts(name: string): { thread: number; port: number }[] {
      const line = /^ *\S+-(\d+) .*: inet_csk_accept: (?:\S+):(\d+) > \S+ (?:ESTABLISHED|CLOSE_WAIT) /gm;
      return [...output(`trace-${name}`).matchAll(line)].map(([, thread, port]) => ({
        thread: Number(thread),
        port: Number(port),
      }));
    }
    /** What the program said of its connections. */
    function accepted(name: string): { accepted: number; port: number } {
      const said = new RegExp(`^${name} (.*)$`, 'm').exec(output('accepted'))?.[1];
      return JSON.parse(said ?? 'null');
    }
    const lines = (name: string): number =>
      output(`trace-${name}`).match(/: inet_csk_accept: /g)?.length ?? 0;

    test(`${ACCEPTORS} tasks that waited in accept() before it was enabled get a connection each: ${ACCEPTORS} events`, () => {
      const seen = accepts('ipv4');
      expect(accepted('ipv4').accepted).toBe(ACCEPTORS);
      expect(lines('ipv4')).toBe(ACCEPTORS);
      expect(seen.length).toBe(ACCEPTORS);
      expect(new Set(seen.map(({ thread }) => thread)).size).toBe(ACCEPTORS);
      expect(new Set(seen.map(({ port }) => port))).toEqual(new Set([accepted('ipv4').port]));
      expect(output('graft')).toBe('inet_csk_accept security_sock_graft off ftrace nmissed=0\n');
    });

    test('accepts over IPv6 are events, those of UNIX sockets are none', () => {
      expect([accepted('ipv6').accepted, accepted('unix').accepted]).toEqual([3, 3]);
      expect([accepts('ipv6').length, lines('ipv6')]).toEqual([3, 3]);
      expect(output('trace-ipv6').match(/ family=AF_INET6 /g)?.length).toBe(3);
      expect(lines('unix')).toBe(0);
    });

    test.skipIf(kernel === '3.10')(
      'a listener for MPTCP gives events of its TCP clients, and none of its MPTCP clients',
      () => {
        expect([accepted('mptcp').accepted, accepted('fallback').accepted]).toEqual([3, 3]);
        expect([accepts('fallback').length, lines('fallback')]).toEqual([3, 3]);
        expect(lines('mptcp')).toBe(0);
      },
    );

    test('without CONFIG_SECURITY_NETWORK a kretprobe sees as many acceptors as it has instances, and counts the rest', () => {
      const missed = Number(/ kretprobe nmissed=(\d+)$/m.exec(output('kretprobe'))?.[1]);
      expect(number('kretprobe_recorded')).toBe(KRETPROBE_INSTANCES);
      expect(missed).toBe(ACCEPTORS - KRETPROBE_INSTANCES);
    });

    test('when ftrace is dead, it says so, stays for ever, and traffic goes on', () => {
      const said = output('dmesg').match(/tcp_trace: ftrace is dead .*/g);
      expect(said).toEqual([
        'tcp_trace: ftrace is dead and does not release its hooks (-19): this module stays until the host reboots',
      ]);
      expect(number('unloaded')).toBeNull();
      expect(output('rmmod').trim().split('\n')).toHaveLength(2);
      // What is off stays off: nothing can be hooked any more. On EL7 the kernel does not tell who enables an event.
      if (kernel !== '3.10') expect(number('enabled_again')).toBeNull();
      expect(output('probes')).not.toMatch(/ on /);
      const runs = output('connected')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as SteadyResult);
      expect(runs).toHaveLength(4);
      for (const { connections, failed } of runs) {
        expect(connections).toBeGreaterThan(0);
        expect(failed).toBe(0);
      }
    });

    test('when ftrace is dead, the agent tells it in its log, its account, /readyz and ktc check', () => {
      const said =
        'ftrace has switched itself off after a fault (see dmesg), so tcp_trace.ko sees nothing until a reboot';
      expect(output('agent.log')).toContain(said);
      expect(ledgerIn(output('agent.log')).lost.settings_changed).toBe(1);
      expect(output('not-ready')).toContain('503');
      expect(output('check')).toContain(said);
    });

    test('the kernel log has no complaint', () => {
      expect(output('dmesg')).toContain('tcp_trace: api 2');
      expect(output('dmesg')).not.toMatch(COMPLAINTS);
    });
  });
});
