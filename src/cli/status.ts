/** `ktc status`: asks the running agent and prints its page. */
import { type IncomingMessage, request } from 'node:http';
import { printable } from '../shared/text.ts';
import { type TelemetrySnapshot, unreadiness } from '../telemetry/snapshot.ts';
import { statusLines } from '../telemetry/status-page.ts';
import { EXIT } from './exit.ts';
import { parseArguments } from './options.ts';

const DEFAULT_ADDRESS = '127.0.0.1:9474';
const ANSWER_WITHIN_MS = 5_000;
/** Far above any real answer: what is larger does not come from an agent. */
const ANSWER_MAX_BYTES = 8 * 1024 * 1024;

const USAGE = `Usage: ktc status [--address HOST:PORT] [--json]

Shows what the running agent reads, delivers and loses.

  --address HOST:PORT  the agent's telemetry endpoint (${DEFAULT_ADDRESS})
  --json               the raw answer of /status

Exit code: 0 ready and every equation holds, 1 not so, ${EXIT.usage} wrong usage, ${EXIT.unavailable} no agent answers.

Examples:
  ktc status
  ktc status --address 127.0.0.1:9475
  ktc status --json | jq .ledger.lost
`;

interface Output {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/**
 * @param words what stands behind `status` on the command line
 * @returns the exit code
 */
export async function statusCommand(words: readonly string[], output: Output = process): Promise<number> {
  const fail = (code: number, line: string) => {
    output.stderr.write(`ktc status: ${printable(line)}\n`);
    return code;
  };

  const options = parse(words);
  if ('problem' in options) return fail(EXIT.usage, options.problem);
  if (options.help) {
    output.stdout.write(USAGE);
    return EXIT.ok;
  }
  const answer = await ask(options.host, options.port);
  if ('problem' in answer) return fail(EXIT.unavailable, answer.problem);

  const { snapshot } = answer;
  output.stdout.write(options.json ? answer.body : `${statusLines(snapshot).join('\n')}\n`);
  return unreadiness(snapshot).length === 0 && snapshot.imbalances.length === 0 ? EXIT.ok : EXIT.failed;
}

interface Options {
  readonly host: string;
  readonly port: number;
  readonly json: boolean;
  readonly help: boolean;
}
interface Problem {
  readonly problem: string;
}

function parse(words: readonly string[]): Options | Problem {
  const parsed = parseArguments({
    args: [...words],
    options: {
      address: { type: 'string', default: DEFAULT_ADDRESS },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (!parsed.ok) return { problem: `${parsed.problem}; ktc status --help lists the options` };
  const { address, json, help } = parsed.values;
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || !(port >= 1 && port <= 65_535))
    return { problem: `--address ${address} is not HOST:PORT, such as ${DEFAULT_ADDRESS} or [::1]:9474` };
  return { host, port, json, help };
}

async function ask(
  host: string,
  port: number,
): Promise<{ snapshot: TelemetrySnapshot; body: string } | Problem> {
  const where = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  try {
    const { status, body } = await get(host, port, '/status');
    const snapshot = status === 200 ? snapshotOf(body) : null;
    return snapshot === null
      ? { problem: `what answers at ${where} is not a ktc agent of this version (HTTP ${status})` }
      : { snapshot, body };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return {
      problem:
        code === 'ECONNREFUSED'
          ? `no agent answers at ${where}: start it (systemctl start ktc, or ktc run), or name its --address`
          : `no answer from ${where}: ${message}`,
    };
  }
}

async function get(host: string, port: number, path: string): Promise<{ status: number; body: string }> {
  const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request({ host, port, path, signal, agent: false }, resolve).on('error', reject).end();
    });
    const parts: Buffer[] = [];
    let size = 0;
    for await (const part of response as AsyncIterable<Buffer>) {
      size += part.length;
      if (size > ANSWER_MAX_BYTES) throw new Error(`the answer is larger than ${ANSWER_MAX_BYTES} bytes`);
      parts.push(part);
    }
    return { status: response.statusCode ?? 0, body: Buffer.concat(parts).toString() };
  } catch (error) {
    if (signal.aborted) throw new Error(`nothing within ${ANSWER_WITHIN_MS / 1000} s`);
    throw error;
  }
}

/** Null for what no agent says. The parts are the agent's own: their insides are trusted. */
function snapshotOf(body: string): TelemetrySnapshot | null {
  const parts = ['ledger', 'imbalances', 'source', 'tracking', 'sinks', 'process'];
  try {
    const value = JSON.parse(body) as Record<string, unknown> | null;
    const complete = parts.every((part) => typeof value?.[part] === 'object' && value[part] !== null);
    return complete ? (value as unknown as TelemetrySnapshot) : null;
  } catch {
    return null;
  }
}
