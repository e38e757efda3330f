/** The agent itself on another kernel, with what this machine does not have: a CPU that is not there. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { TcpEvent } from '../../src/event/tcp-event.ts';
import type { ClockStep } from '../support/guest/clock-steps.ts';
import { buildGuestModule } from '../support/guest/module.ts';
import {
  bootGuest,
  EL7_KERNELS,
  type GuestKernel,
  type GuestResult,
  guestAgentUnavailable,
} from '../support/guest.ts';

const KERNELS: readonly GuestKernel[] = ['6.1', ...EL7_KERNELS];
const support = join(import.meta.dirname, '../support/guest');
/** docs/source.md promises 2 ms; an emulated CPU is slow between two looks at the clock. */
const CLOCK_ERROR_MS = 20;

function lines(guest: GuestResult, name: string): string[] {
  return String(guest.outputs.get(name)).trim().split('\n');
}

describe.each(KERNELS)('the agent on Linux %s', (kernel) => {
  const unavailable = guestAgentUnavailable(kernel);
  if (unavailable !== undefined) console.warn(`skipped, the agent on ${kernel}: ${unavailable}`);
  // EL7 has no tracepoints of TCP: the module has.
  const isEl7 = kernel === '3.10';
  const stateEvent = isEl7 ? 'ktc/tcp_set_state' : 'sock/inet_sock_set_state';

  test('records and replays with a CPU offline, follows a clock that is stepped, and shows the demo', async ({
    skip,
  }) => {
    skip(unavailable !== undefined, unavailable);
    const directory = mkdtempSync(join(tmpdir(), 'ktc-guest-agent-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const config = join(directory, 'agent.json');
    writeFileSync(
      config,
      JSON.stringify({
        source: { kind: isEl7 ? 'module' : 'tracepoints' },
        spool: { directory: '/tmp' },
        dead_letter: { path: '' },
        telemetry: { http: { enabled: false } },
        sink: { file: { enabled: true, path: '/out/stepped' } },
      }),
    );
    const guest = await bootGuest({
      kernel,
      node: true,
      // No nft, and a kernel without its numgen, as on EL7.
      programs: ['/usr/sbin/ip', '/usr/sbin/tc'],
      modules: ['veth', 'sch_netem'],
      script: `
        ${isEl7 ? 'node /ktc.cjs module load /tcp_trace.ko' : ''}
        echo 0 > /sys/devices/system/cpu/cpu1/online
        node /ktc.cjs record --output /tmp/guest.ktcrec > /out/recorded &
        recorder=$!
        until grep -q 1 /sys/kernel/debug/tracing/instances/ktc-record/events/${stateEvent}/enable; do
          kill -0 $recorder
        done
        node -e "require('net').connect(1, '127.0.0.1').on('error', () => {})"
        kill -INT $recorder
        wait $recorder
        node /ktc.cjs replay --json /tmp/guest.ktcrec > /out/events

        set -e
        touch /out/log /out/stepped
        node /ktc.cjs run --config /agent.json 2> /out/log &
        agent=$!
        until grep -q 'reading kernel events' /out/log; do kill -0 $agent; done
        node /clock-steps.ts /out/stepped > /out/steps
        kill $agent
        wait $agent
        node /ktc.cjs demo --json --loss 20 > /out/demo &
        demo=$!
        until [ "$(grep -c tcp_retransmit /out/demo)" -gt 10 ]; do
          kill -0 $demo
          usleep 100000
        done
        kill -INT $demo
        wait $demo
        ip netns list > /out/namespaces
      `,
      files: {
        '/agent.json': config,
        '/clock-steps.ts': join(support, 'clock-steps.ts'),
        ...(isEl7 && { '/tcp_trace.ko': buildGuestModule(kernel) }),
      },
    });
    expect(guest.exitCode, guest.console).toBe(0);
    const events = lines(guest, 'events');
    expect(
      events.some((line) => line.includes('"event":"tcp_connect"') && line.includes('"remote_port":1,')),
    ).toBe(true);
    expect(String(guest.outputs.get('recorded'))).toMatch(/^\d+ records on \d+ pages, 0 lost/);

    const stepped = lines(guest, 'stepped').map((line) => JSON.parse(line) as TcpEvent);
    const steps = lines(guest, 'steps').map((line) => JSON.parse(line) as ClockStep);
    expect(steps).toHaveLength(5);
    for (const { port, before, after } of steps) {
      const times = stepped
        .filter(({ remote_port }) => remote_port === port)
        .map(({ timestamp }) => Date.parse(timestamp));
      expect(times.length).toBeGreaterThan(2);
      for (const time of times) {
        expect(time).toBeGreaterThanOrEqual(before - CLOCK_ERROR_MS);
        expect(time).toBeLessThanOrEqual(after + CLOCK_ERROR_MS);
      }
    }
    const shown = lines(guest, 'demo').map((line) => JSON.parse(line) as TcpEvent);
    expect(shown.filter(({ event }) => event === 'tcp_retransmit').length).toBeGreaterThan(10);
    expect(String(guest.outputs.get('namespaces'))).toBe('');

    // Forth and back: the times are not in order, the events are.
    const order = stepped.map(({ remote_port }) => remote_port).filter((port) => port !== null && port <= 5);
    expect(order).toEqual(order.toSorted());
    const ordinals = stepped.map(({ event_id }) => Number(event_id.slice(event_id.lastIndexOf('-') + 1)));
    expect(ordinals).toEqual(ordinals.map((_, index) => index));
  });
});
