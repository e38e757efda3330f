/** `ktc status`: asks the running agent for its state and prints the status page. */
import { type IncomingMessage, request } from 'node:http';
import { connect } from '../shared/connect.ts';
import { hasErrorCode } from '../shared/errors.ts';
import { type Result, refusal, success } from '../shared/result.ts';
import { escapeControls } from '../shared/text.ts';
import { type TelemetrySnapshot, unreadiness } from '../telemetry/snapshot.ts';
import { statusLines } from '../telemetry/status-page.ts';
import { createCommand } from './command.ts';
import { EXIT, type ExitCode, print } from './exit.ts';

const DEFAULT_ADDRESS = '127.0.0.1:9474';
const ANSWER_WITHIN_MS = 5_000;
/** Far more than any agent answers. */
const ANSWER_MAX_BYTES = 8 * 1024 * 1024;

const HELP = `Usage: ktc status [--address HOST:PORT] [--json | --emit]

Shows what the running agent reads, delivers and loses.

  --address HOST:PORT  the agent's telemetry endpoint (${DEFAULT_ADDRESS})
  --json               the raw answer of /status
  --emit               let the agent emit a host_status now, and print its event_id

Exit code: 0 ready and every equation holds, or emitted; 1 not so; ${EXIT.usage} wrong usage, ${EXIT.unavailable} no agent answers.

Examples:
  ktc status
  ktc status --address 127.0.0.1:9475
  ktc status --json | jq .ledger.lost
  ktc status --emit
`;

/** This command reports its problems in its own name. */
function refuse(code: Exclude<ExitCode, 0>, problem: string): ExitCode {
  process.stderr.write(`ktc status: ${escapeControls(problem)}\n`);
  return code;
}

export const statusCommand = createCommand({
  name: 'status',
  help: HELP,
  options: {
    address: { type: 'string', default: DEFAULT_ADDRESS },
    json: { type: 'boolean', default: false },
    emit: { type: 'boolean', default: false },
  },
  refuse: (problem) => refuse(EXIT.usage, `${problem}; ktc status --help lists the options`),
  async run({ address, json, emit }) {
    const endpoint = parseAddress(address);
    if (!endpoint.ok) return refuse(EXIT.usage, endpoint.problem);
    if (emit && json) return refuse(EXIT.usage, '--emit and --json exclude each other');
    if (emit) return emitHostStatus(endpoint.value);
    const answer = await ask(endpoint.value);
    if (!answer.ok) return refuse(EXIT.unavailable, answer.problem);

    const { snapshot, body } = answer.value;
    print(json ? body : `${statusLines(snapshot).join('\n')}\n`);
    return unreadiness(snapshot).length === 0 && snapshot.imbalances.length === 0 ? EXIT.ok : EXIT.failed;
  },
});

interface Endpoint {
  readonly host: string;
  readonly port: number;
}

function parseAddress(address: string): Result<Endpoint> {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || !(port >= 1 && port <= 65_535))
    return refusal(`--address ${address} is not HOST:PORT, such as ${DEFAULT_ADDRESS} or [::1]:9474`);
  return success({ host, port });
}

interface Answer {
  readonly snapshot: TelemetrySnapshot;
  /** The text that the agent sent. */
  readonly body: string;
}

async function ask(endpoint: Endpoint): Promise<Result<Answer>> {
  const answer = await get(endpoint, 'GET', '/status');
  if (!answer.ok) return answer;
  const { status, body } = answer.value;
  const snapshot = status === 200 ? snapshotOf(body) : null;
  return snapshot === null ? refusal(notAnAgent(endpoint, status)) : success({ snapshot, body });
}

/** Prints the `event_id` of what was emitted. */
async function emitHostStatus(endpoint: Endpoint): Promise<ExitCode> {
  const answer = await get(endpoint, 'POST', '/host_status');
  if (!answer.ok) return refuse(EXIT.unavailable, answer.problem);
  const { status, body } = answer.value;
  const emitted = emittedOf(body);
  if (emitted === null) return refuse(EXIT.unavailable, notAnAgent(endpoint, status));
  const { event_id, problem } = emitted;
  return event_id === null ? refuse(EXIT.failed, `nothing emitted: ${problem}`) : print(`${event_id}\n`);
}

function notAnAgent(endpoint: Endpoint, status: number): string {
  return `what answers at ${nameOf(endpoint)} is not a ktc agent of this version (HTTP ${status})`;
}

function nameOf({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

interface Page {
  readonly status: number;
  readonly body: string;
}

async function get(endpoint: Endpoint, method: 'GET' | 'POST', path: string): Promise<Result<Page>> {
  const { host, port } = endpoint;
  const unusable = (problem: string) => refusal(`no answer from ${nameOf(endpoint)}: ${problem}`);
  const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
  try {
    const socket = await connect(host, port, signal);
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const createConnection = () => socket;
      request({ host, port, method, path, signal, createConnection }, resolve).on('error', reject).end();
    });
    const parts: Buffer[] = [];
    let size = 0;
    for await (const part of response as AsyncIterable<Buffer>) {
      size += part.length;
      if (size > ANSWER_MAX_BYTES) return unusable(`the answer is larger than ${ANSWER_MAX_BYTES} bytes`);
      parts.push(part);
    }
    return success({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString() });
  } catch (error) {
    if (signal.aborted) return unusable(`nothing within ${ANSWER_WITHIN_MS / 1000} s`);
    if (!(error instanceof Error)) throw error;
    if (!hasErrorCode(error, 'ECONNREFUSED')) return unusable(error.message);
    return refusal(
      `no agent answers at ${nameOf(endpoint)}: start it (systemctl start ktc-agent, or ktc run), or name its --address`,
    );
  }
}

/** Null when no agent of this version has written it. */
function emittedOf(body: string): { event_id: string | null; problem?: string } | null {
  try {
    const value = JSON.parse(body) as { event_id?: unknown; problem?: unknown } | null;
    if (typeof value?.event_id === 'string') return { event_id: value.event_id };
    return value?.event_id === null ? { event_id: null, problem: String(value.problem) } : null;
  } catch {
    return null;
  }
}

/** Null when no agent of this version has written it. A snapshot that has all its parts is trusted to be whole. */
function snapshotOf(body: string): TelemetrySnapshot | null {
  const parts = ['ledger', 'imbalances', 'source', 'host_status', 'tracking', 'sinks', 'process'];
  try {
    const value = JSON.parse(body) as Record<string, unknown> | null;
    const complete = parts.every((part) => typeof value?.[part] === 'object' && value[part] !== null);
    return complete ? (value as unknown as TelemetrySnapshot) : null;
  } catch {
    return null;
  }
}
