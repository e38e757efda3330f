/** Whose events they are, with tcp_trace.ko: processes and threads of short life, all of them, on every kernel. */
import { describe, expect, test } from 'vitest';
import { buildGuestModule } from '../support/guest/module.ts';
import { bootGuest, guestAgentUnavailable, MODULE_KERNELS } from '../support/guest.ts';
import { parseCsv } from '../support/tool.ts';
import { compile, parseShortLived } from '../support/traffic/traffic.ts';

/** KIND PROCESSES BUSY, as short-lived.c takes them. */
const RUNS = ['rename 1000 0', 'rename 1000 2', 'exec 50 0', 'thread 50 0'] as const;
const CONNECTIONS = 2_100;

describe.each(MODULE_KERNELS)('the process of an event of tcp_trace.ko on Linux %s', (kernel) => {
  const unavailable = guestAgentUnavailable(kernel);
  if (unavailable !== undefined) console.warn(`skipped, whose events they are on ${kernel}: ${unavailable}`);

  test.skipIf(unavailable !== undefined)('is right for all that end at once', async () => {
    const guest = await bootGuest({
      kernel,
      node: true,
      files: { '/tcp_trace.ko': buildGuestModule(kernel), '/short-lived': await compile('short-lived') },
      script: `
        node /ktc.cjs module load /tcp_trace.ko
        node /ktc.cjs tcpconnect --csv --source module > /out/events 2> /out/said &
        tool=$!
        until [ -s /out/events ]; do kill -0 $tool; usleep 100000; done
        for run in ${RUNS.map((run) => `'${run}'`).join(' ')}; do
          /short-lived $run >> /out/processes || exit 1
        done
        until [ "$(wc -l < /out/events)" -gt ${CONNECTIONS} ]; do kill -0 $tool; usleep 100000; done
        kill -INT $tool
        wait $tool
      `,
    });
    expect(guest.exitCode, guest.console).toBe(0);
    const processes = parseShortLived(String(guest.outputs.get('processes')));
    const seen = parseCsv(String(guest.outputs.get('events'))).map(
      ({ PID, COMM, DPORT }) => `${PID} ${COMM} ${DPORT}`,
    );
    expect(processes).toHaveLength(CONNECTIONS);
    expect(seen).toEqual(processes.map(({ pid, comm, remote_port }) => `${pid} ${comm} ${remote_port}`));
    // The tool says nothing of records that were lost.
    expect(String(guest.outputs.get('said'))).toBe('');
  });
});
