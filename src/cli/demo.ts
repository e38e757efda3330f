/** `ktc demo`: a private network that loses packets, and what the agent sees of it. */
import { loadConfig } from '../config/load.ts';
import { startDemo } from '../demo/demo.ts';
import { DEMO_PORT } from '../demo/exchange.ts';
import { mapProbes, PROBE_OFF } from '../source/probes.ts';
import { EXIT, fail } from './exit.ts';
import { parseArguments } from './options.ts';
import { runAgent } from './session.ts';

const HELP = `Usage: ktc demo [options]

Makes two network namespaces joined by a link that loses packets, lets programs talk over it, and shows
every TCP event of theirs. Needs root, ip and nft. Nothing of it is left behind, however it ends.

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

/** Also told to the demo's keeper, which removes it after a kill -9. */
const INSTANCE = `ktc-demo-${process.pid}`;
const PORT_FILTER = `sport == ${DEMO_PORT} || dport == ${DEMO_PORT}`;

/** Nothing of the host's configuration counts: the demo is to look the same everywhere. */
function demoConfig(json: boolean, all: boolean): object {
  const probe = { enabled: true, filter: PORT_FILTER };
  return {
    source: {
      kind: 'auto',
      instance: INSTANCE,
      probes: {
        ...mapProbes(() => probe),
        // Newer kernels give its ports in a form that no filter can compare.
        tcp_send_reset: PROBE_OFF,
      },
    },
    events: all ? {} : { tcp_state: false, tcp_accept: false, tcp_connect: false },
    spool: { enabled: false },
    dead_letter: { path: '' },
    sink: { stdout: { enabled: true, format: json ? 'ndjson' : 'table' } },
    telemetry: { http: { enabled: false } },
    log: { level: 'warn' },
  };
}

export async function demoCommand(words: readonly string[]): Promise<number> {
  const parsed = parseArguments({
    args: [...words],
    options: {
      loss: { type: 'string', default: '5' },
      duration: { type: 'string' },
      ipv6: { type: 'boolean', default: false },
      all: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (!parsed.ok) return fail(EXIT.usage, `demo: ${parsed.problem}; ktc demo --help lists the options`);
  const { values } = parsed;
  if (values.help === true) {
    process.stdout.write(HELP);
    return EXIT.ok;
  }
  const lossPercent = Number(values.loss);
  const seconds = values.duration === undefined ? null : Number(values.duration);
  if (!(lossPercent >= 0 && lossPercent <= 100)) return fail(EXIT.usage, 'demo: --loss goes from 0 to 100');
  if (seconds !== null && !(seconds > 0)) return fail(EXIT.usage, 'demo: --duration is a number of seconds');

  const stop = new AbortController();
  const abort = () => stop.abort();
  process.once('SIGTERM', abort).once('SIGINT', abort);
  const demo = await startDemo({ lossPercent, ipv6: values.ipv6, traceInstance: INSTANCE });
  if ('problem' in demo) return fail(EXIT.unavailable, demo.problem);
  const timer = seconds === null ? undefined : setTimeout(abort, seconds * 1000);
  const config = loadConfig({
    file: null,
    environment: {},
    flags: {},
    embedded: demoConfig(values.json, values.all),
  });
  const code = await runAgent(config, { reread: null, stop: stop.signal });
  clearTimeout(timer);
  process.off('SIGTERM', abort).off('SIGINT', abort);
  await demo.close();
  return code;
}
