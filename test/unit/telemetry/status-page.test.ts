import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { statusCommand } from '../../../src/cli/status.ts';
import { accountLines } from '../../../src/ledger/account-lines.ts';
import { imbalances } from '../../../src/ledger/ledger.ts';
import { type Result, refusal, success } from '../../../src/shared/result.ts';
import { serveTelemetry } from '../../../src/telemetry/http.ts';
import type { TelemetrySnapshot } from '../../../src/telemetry/snapshot.ts';
import { statusLines } from '../../../src/telemetry/status-page.ts';
import { openLedger } from '../../support/open-ledger.ts';
import { runCaptured } from '../cli/capture.ts';
import { healthySnapshot } from './snapshots.ts';

const PAGE = `\
ktc 0.1.0 on web-17, up 2 h 10 min, ready

source    tracepoints, instance ktc, clock mono, 2 CPUs
probe     sock:inet_sock_set_state  on   if dport == 443
probe     tcp:tcp_retransmit_skb    on
probe     tcp:tcp_send_reset        off  this kernel has no such event
config    hash 9f86d081884c7d65
status    host_status every 60 s, the last is boot-cafe0123-0-512
tracking  1,024 connections, 31 evicted
process   70 MiB resident, 12.3 s CPU, event loop delay p99 4.2 ms

records   read 123,471 = decoded 123,467 + malformed 4
events    decoded 123,467 + derived 44 = emitted 123,000 + filtered 483 + suppressed 11 + held 17
kafka     emitted 123,000 = delivered 120,000 + rejected 2 + dropped 98 + queued 400 + spooled 2,000 + in flight 500
file      emitted 123,000 = delivered 122,999 + rejected 0 + dropped 0 + queued 1 + spooled 0 + in flight 0
filtered  event_disabled 433, own_traffic 50
suppressed tcp_state 6, tcp_life 5
kafka     rejected: message_too_large 2
kafka     dropped: spool_full 98
lost      kernel_overrun 12,345

spool     /var/lib/ktc/spool, 2 files, 1.5 MiB of 1 GiB
sink      kafka ready, 611 batches sent, 7 retries, window 2, last acknowledged 2026-11-24T02:15:19.250Z
sink      file ready, 613 batches sent, 0 retries, window 1, last acknowledged never
`;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

/** Runs `ktc status` against an endpoint that says the snapshot. */
async function statusOf(snapshot: TelemetrySnapshot, ...words: string[]) {
  return askAgent(snapshot, () => success('boot-cafe0123-0-513'), ...words);
}

async function askAgent(snapshot: TelemetrySnapshot, emit: () => Result<string>, ...words: string[]) {
  const server = await serveTelemetry({
    address: '127.0.0.1',
    port: 0,
    snapshot: () => snapshot,
    prometheus: () => Promise.resolve(''),
    emitHostStatus: () => Promise.resolve(emit()),
  });
  if (!server.ok) throw new Error(server.problem);
  cleanups.push(server.value.close);
  return run('--address', `127.0.0.1:${server.value.port}`, ...words);
}

async function run(...words: string[]) {
  const { code, stdout, stderr } = await runCaptured(statusCommand, words);
  return { code, out: stdout, error: stderr };
}

/** A port on which nobody listens: it was free a moment ago. */
async function unusedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('prints the page of a healthy agent and exits with 0', async () => {
  expect(await statusOf(healthySnapshot())).toEqual({ code: 0, out: PAGE, error: '' });
});

test('docs/telemetry.md shows the page as it is', () => {
  const page = readFileSync(new URL('../../../docs/telemetry.md', import.meta.url), 'utf8');
  expect(page).toContain(`\`\`\`\n${PAGE}\`\`\`\n`);
});

test('--json prints the raw answer', async () => {
  const { code, out, error } = await statusOf(healthySnapshot(), '--json');
  expect({ code, error }).toEqual({ code: 0, error: '' });
  expect(JSON.parse(out)).toEqual(JSON.parse(JSON.stringify(healthySnapshot())));
});

test('--emit prints the event_id of the host_status that it has made the agent emit', async () => {
  expect(await statusOf(healthySnapshot(), '--emit')).toEqual({
    code: 0,
    out: 'boot-cafe0123-0-513\n',
    error: '',
  });
});

test('--emit exits with 1 and the reason where the agent emits none, and with 64 beside --json', async () => {
  const refuse = () => refusal('host_status.interval_s is 0: there is none');
  expect(await askAgent(healthySnapshot(), refuse, '--emit')).toEqual({
    code: 1,
    out: '',
    error: 'ktc status: nothing emitted: host_status.interval_s is 0: there is none\n',
  });
  expect((await askAgent(healthySnapshot(), refuse, '--emit', '--json')).code).toBe(64);
});

test('the page says that no host_status is emitted, or none yet', () => {
  const healthy = healthySnapshot();
  const lineOf = (host_status: TelemetrySnapshot['host_status']) =>
    statusLines({ ...healthy, host_status }).find((line) => line.startsWith('status'));
  const { config_hash } = healthy.host_status;
  expect(lineOf({ config_hash, interval_s: 0, last_event_id: null })).toBe('status    host_status off');
  expect(lineOf({ config_hash, interval_s: 7, last_event_id: null })).toBe(
    'status    host_status every 7 s, the last is to come',
  );
});

test('an equation that does not hold is marked with its difference and exits with 1', async () => {
  const snapshot = healthySnapshot();
  openLedger(snapshot.ledger).read += 1_500;
  const { code, out } = await statusOf({ ...snapshot, imbalances: imbalances(snapshot.ledger) });
  expect(code).toBe(1);
  expect(out.split('\n').filter((line) => line.includes('DIFFERS'))).toEqual([
    'records   read 124,971 != decoded 123,467 + malformed 4   <-- DIFFERS BY 1,500',
  ]);
});

test('the page marks an equation exactly where the ledger finds an imbalance', () => {
  const places: ((ledger: ReturnType<typeof openLedger>) => void)[] = [
    (ledger) => ledger.malformed++,
    (ledger) => ledger.derived++,
    (ledger) => ledger.held--,
    (ledger) => {
      ledger.filtered['excluded_port'] = 1;
    },
    (ledger) => {
      ledger.suppressed['tcp_reset'] = 1;
    },
    (ledger) => {
      for (const sink of Object.values(ledger.sinks)) sink.in_flight++;
    },
    (ledger) => ledger.emitted++,
  ];
  for (const unbalance of places) {
    const { ledger } = healthySnapshot();
    unbalance(openLedger(ledger));
    const marked = accountLines(ledger).filter((line) => line.includes('!='));
    expect(marked.length).toBeGreaterThan(0);
    expect(marked).toHaveLength(imbalances(ledger).length);
  }
});

test('an agent that is not ready exits with 1 and says why', async () => {
  const healthy = healthySnapshot();
  const { kafka, file } = healthy.sinks;
  if (kafka === undefined || file === undefined) throw new Error('the snapshot has both sinks');
  const { code, out } = await statusOf({
    ...healthy,
    source: { ...healthy.source, paused: true },
    sinks: { kafka: { ...kafka, state: 'retrying', problem: 'no broker at 10.0.0.1:9092 answers' }, file },
  });
  expect(code).toBe(1);
  const lines = out.split('\n');
  expect(lines.slice(0, 4)).toEqual([
    'ktc 0.1.0 on web-17, up 2 h 10 min, NOT READY',
    '          sink kafka is retrying: no broker at 10.0.0.1:9092 answers',
    '',
    'source    tracepoints, instance ktc, clock mono, 2 CPUs, PAUSED because a sink is behind',
  ]);
});

test('what nobody lost is said as nothing', () => {
  const snapshot = healthySnapshot();
  openLedger(snapshot.ledger).lost = { kernel_overrun: 0, malformed_page: 0 };
  expect(accountLines(snapshot.ledger).at(-1)).toBe('lost      nothing');
});

test('text of peers cannot steer the terminal', () => {
  const healthy = healthySnapshot();
  const lines = statusLines({ ...healthy, host: 'web\u001b[2J\n17' });
  expect(lines[0]).toBe('ktc 0.1.0 on web\\x1b[2J\\x0a17, up 2 h 10 min, ready');
});

test('no agent: one line on stderr, exit code 69', async () => {
  const port = await unusedPort();
  expect(await run('--address', `127.0.0.1:${port}`)).toEqual({
    code: 69,
    out: '',
    error:
      `ktc status: no agent answers at 127.0.0.1:${port}: ` +
      'start it (systemctl start ktc-agent, or ktc run), or name its --address\n',
  });
});

test.each([
  ['text', 200, 'hello'],
  ['another JSON', 200, '{"status":"ok"}'],
  ['null', 200, 'null'],
  ['an error', 404, 'not found'],
])('what is not an agent and answers %s: one line, exit code 69', async (_what, status, body) => {
  const server = createServer((_request, response) => response.writeHead(status).end(body)).listen(
    0,
    '127.0.0.1',
  );
  await once(server, 'listening');
  cleanups.push(() => new Promise((resolve) => server.close(resolve)));
  const { port } = server.address() as AddressInfo;
  expect(await run('--address', `127.0.0.1:${port}`)).toEqual({
    code: 69,
    out: '',
    error: `ktc status: what answers at 127.0.0.1:${port} is not a ktc agent of this version (HTTP ${status})\n`,
  });
});

test.each([
  [['--address', 'localhost'], '--address localhost is not HOST:PORT, such as 127.0.0.1:9474 or [::1]:9474'],
  [
    ['--address', '127.0.0.1:99999'],
    '--address 127.0.0.1:99999 is not HOST:PORT, such as 127.0.0.1:9474 or [::1]:9474',
  ],
  [['--address', '::1'], '--address ::1 is not HOST:PORT, such as 127.0.0.1:9474 or [::1]:9474'],
  [['--jsn'], "Unknown option '--jsn'; ktc status --help lists the options"],
])('wrong usage %j: one line, exit code 64', async (words, line) => {
  expect(await run(...words)).toEqual({ code: 64, out: '', error: `ktc status: ${line}\n` });
});

test('--help ends in examples', async () => {
  const { code, out, error } = await run('--help');
  expect({ code, error }).toEqual({ code: 0, error: '' });
  expect(out).toMatch(/\nExamples:\n( {2}ktc status.*\n)+$/);
});
