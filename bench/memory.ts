/** What the memory of the agent is on other kernels, with tcp_trace.ko, in guests. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KTC } from '../test/support/agent.ts';
import { buildGuestModule } from '../test/support/guest/module.ts';
import { bootGuest, type GuestKernel, guestAgentUnavailable, MODULE_KERNELS } from '../test/support/guest.ts';
import { memoryIn } from '../test/support/memory.ts';
import { compile } from '../test/support/traffic/traffic.ts';
import { type Bench, figure } from './report.ts';
import { MEMORY_NOTE, type MemoryParts, memoryParts, memoryRows, totalBytes } from './smaps.ts';

/** As many as an emulated CPU can make. */
const CONNECTIONS_PER_SECOND = 200;
const CONFIG = {
  source: { kind: 'module' },
  spool: { directory: '/tmp' },
  dead_letter: { path: '' },
  sink: { file: { enabled: true, path: '/dev/null' } },
};

interface Measured {
  readonly kernel: GuestKernel;
  /** Before its first event, and after the last. */
  readonly fresh: MemoryParts;
  readonly used: MemoryParts;
  readonly peakBytes: number;
  readonly events: number;
}

/** V8's own later work is part of it: the agent is looked at when it has used less than 10 % of a CPU for some seconds. */
const SCRIPT = `
  used_ticks() { cut -d ' ' -f 14,15 /proc/$agent/stat | { read -r user system; echo $((user + system)); }; }
  rest() {
    before=$(used_ticks)
    while sleep 3; now=$(used_ticks); [ $((now - before)) -gt 30 ]; do before=$now; done
  }
  set -e
  /ktc module load /tcp_trace.ko
  /ktc run --config /agent.json 2> /out/log &
  agent=$!
  until grep -q 'reading kernel events' /out/log; do kill -0 $agent; done
  rest
  cat /proc/$agent/smaps > /out/fresh
  /steady "$RATE" "$SECONDS_LONG"
  rest
  cat /proc/$agent/smaps > /out/used
  cat /proc/$agent/status > /out/status
  wget -q -O /out/telemetry http://127.0.0.1:9474/status
  kill $agent
  wait $agent
`;

async function measure(kernel: GuestKernel, seconds: number): Promise<Measured> {
  const unavailable = guestAgentUnavailable(kernel);
  if (unavailable !== undefined) throw new Error(unavailable);
  const directory = mkdtempSync(join(tmpdir(), 'ktc-bench-'));
  try {
    const config = join(directory, 'agent.json');
    writeFileSync(config, JSON.stringify(CONFIG));
    const { console, exitCode, outputs } = await bootGuest({
      kernel,
      node: true,
      files: {
        '/ktc': KTC,
        '/agent.json': config,
        '/steady': await compile('steady'),
        '/tcp_trace.ko': buildGuestModule(kernel),
      },
      script: `RATE=${CONNECTIONS_PER_SECOND}; SECONDS_LONG=${seconds}\n${SCRIPT}`,
      memoryMb: 2048,
    });
    if (exitCode !== 0) throw new Error(`${console}\n${outputs.get('log')}`);
    const text = (name: string): string => String(outputs.get(name));
    return {
      kernel,
      fresh: memoryParts(text('fresh')),
      used: memoryParts(text('used')),
      peakBytes: memoryIn(text('status'), 'VmHWM'),
      events: (JSON.parse(text('telemetry')) as { ledger: { emitted: number } }).ledger.emitted,
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

export const memory: Bench = async (quick) => {
  const measured: Measured[] = [];
  for (const kernel of MODULE_KERNELS) measured.push(await measure(kernel, quick ? 2 : 60));
  const peaks = measured.map(({ kernel, peakBytes, events }) => {
    const megabytes = figure(peakBytes / 1e6);
    return `${megabytes} MB (${kernel}, ${events.toLocaleString('en')} events)`;
  });
  return {
    tables: [
      {
        title: 'Memory on other kernels',
        script: 'bench/memory.ts',
        columns: [
          'MB, resident',
          ...measured.flatMap(({ kernel }) => [
            `${kernel}, before its first event`,
            `${kernel}, after the last`,
          ]),
        ],
        rows: memoryRows(measured.flatMap(({ fresh, used }) => [fresh, used])),
        notes: [
          `The agent with tcp_trace.ko in QEMU, with its defaults and a file as the sink. At most it had ${peaks.join(', ')}. 3.10 is a kernel of EL7, which is measured where KTC_GUEST_KERNEL names one. ${MEMORY_NOTE}`,
        ],
      },
    ],
    bars: measured
      .filter(({ kernel }) => kernel === '3.10')
      .flatMap(({ fresh, peakBytes }) => [
        { what: 'memory before the first event, EL7', value: totalBytes(fresh) / 1e6, limit: 65, unit: 'MB' },
        { what: 'peak memory, EL7', value: peakBytes / 1e6, limit: 95, unit: 'MB' },
      ]),
  };
};
