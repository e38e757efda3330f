/** `ktc demo`: a private network that loses packets, and the events that the agent makes of it. */
import { abortOnSignal } from '../agent/signals.ts';
import { startDemo } from '../demo/demo.ts';
import { DEMO_PORT, runDemoTraffic } from '../demo/exchange.ts';
import { mapProbes, PROBE_OFF } from '../source/probes.ts';
import { type Command, createCommand } from './command.ts';
import { EXIT, fail } from './exit.ts';
import { loadEmbedded, secondsOf } from './options.ts';
import { runAgent } from './session.ts';

const HELP = `Usage: ktc demo [options]

Makes two network namespaces joined by a link that loses packets, lets programs talk over it, and shows
every TCP event of theirs. Needs root, ip, and nft or tc. Nothing of it is left behind, however it ends.

Options:
      --loss PERCENT    packets lost in each direction (5)
      --duration S      end after so many seconds; without it at Ctrl-C
      --ipv6            talk over IPv6
      --all             every kind of event, not only retransmits, connects and ends of connections
      --json            NDJSON instead of a table
  -h, --help            show this help

Exit codes: 0 done, 64 wrong options, 69 something is missing, 77 not permitted.

Examples:
  ktc demo
  ktc demo --json --duration 8 | jq 'select(.event == "tcp_retransmit")'
`;

/** The guard of the demo's namespaces removes this ftrace instance after a kill -9. */
const INSTANCE = `ktc-demo-${process.pid}`;
const PORT_FILTER = `sport == ${DEMO_PORT} || dport == ${DEMO_PORT}`;

/** The demo looks the same on every host: the host's configuration does not count. */
function demoConfig(json: boolean, all: boolean): object {
  const probe = { enabled: true, filter: PORT_FILTER };
  return {
    source: {
      kind: 'auto',
      instance: INSTANCE,
      probes: {
        ...mapProbes(() => probe),
        // Newer kernels record its addresses and ports in a form that no filter can compare.
        tcp_send_reset: PROBE_OFF,
      },
    },
    // It would tell of this host, which the demo's network is no part of.
    host_status: { interval_s: 0 },
    events: all ? {} : { tcp_state: false, tcp_accept: false, tcp_connect: false },
    spool: { enabled: false },
    dead_letter: { path: '' },
    sink: { stdout: { enabled: true, format: json ? 'ndjson' : 'table' } },
    telemetry: { http: { enabled: false } },
    log: { level: 'warn' },
  };
}

export const demoCommand = createCommand({
  name: 'demo',
  help: HELP,
  options: {
    loss: { type: 'string', default: '5' },
    duration: { type: 'string' },
    ipv6: { type: 'boolean', default: false },
    all: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
  async run({ loss, duration, ipv6, all, json }) {
    const lossPercent = Number(loss);
    const seconds = secondsOf(duration);
    if (!(lossPercent >= 0 && lossPercent <= 100)) return fail(EXIT.usage, 'demo: --loss goes from 0 to 100');
    if (!(seconds > 0)) return fail(EXIT.usage, 'demo: --duration is a number of seconds');

    const stop = abortOnSignal();
    const demo = await startDemo({ lossPercent, ipv6, traceInstance: INSTANCE });
    if (!demo.ok) return fail(EXIT.unavailable, demo.problem);
    const timer = Number.isFinite(seconds) ? setTimeout(stop.abort, seconds * 1000) : undefined;
    const config = loadEmbedded(demoConfig(json, all));
    const code = await runAgent(config, { reread: null, stop: stop.signal });
    clearTimeout(timer);
    stop.forget();
    await demo.value.close();
    return code;
  },
});

/**
 * Hidden: the programs that `ktc demo` starts inside its namespaces. Their sockets must not keep the process alive.
 */
export const demoTrafficCommand: Command = async (words) => {
  const ran = await runDemoTraffic(words);
  if (!ran.ok) process.stderr.write(`${ran.problem}\n`);
  return process.exit(ran.ok ? EXIT.ok : EXIT.usage);
};
