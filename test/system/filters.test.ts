/**
 * Filters of probes on kernels where a filter is that of all tracers: decided by the agent, with the same result as by
 * the kernel, and never by changing what another program has set.
 */
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { TcpEvent } from '../../src/event/tcp-event.ts';
import { imbalances } from '../../src/ledger/ledger.ts';
import { epochAt } from '../../src/source/clock.ts';
import { type EventFormat, parseEventFormat, parsePageFormat } from '../../src/source/decode/format.ts';
import { createCursor, nextRecord, openPage } from '../../src/source/decode/page.ts';
import { compileFilter } from '../../src/source/filter/evaluate.ts';
import { startAgent, whyNoAgent } from '../support/agent.ts';
import { filterForAll, withOneFilterForAll } from '../support/one-filter-for-all.ts';
import { INSTANCES, TRACING } from '../support/tracefs.ts';
import { until } from '../support/wait.ts';

const missing = whyNoAgent();
if (missing) console.warn(`skipped: filters that the agent decides: ${missing}`);

const EVENT = 'sock/inet_sock_set_state';
const PAGE_BYTES = 4096;

/** Filters that the kernel and we have to agree on, with the port of the connections in them where PORT stands. */
const FILTERS = [
  'oldstate == 2 || newstate == 2',
  'newstate != 5 && newstate != 8 && newstate != 11',
  'sport == PORT && newstate == 1 || dport == PORT && newstate == 4',
  '!(sport == PORT)',
  '!sport == PORT && !!(newstate & 0x6)',
  'sport >= 32768 && sport <= 60999',
  'sport < 1024 || dport > 0x7fff',
  'saddr == 0x0100007f',
  'saddr & 0x01000000',
  'family == 02 && protocol == 0x6',
  'oldstate == 4294967303',
  'dport == 4295032832',
  'oldstate < -1',
  'oldstate > -1',
  'oldstate >= 0x7',
  'skaddr > 0xffff000000000000',
  'skaddr & 0x8',
  'skaddr != 0',
  'common_pid == PID',
  'common_pid & 1',
  'cpu == 0',
  'CPU != 0',
  'common_flags & 1',
  'common_type != 0',
];

let format: EventFormat;
let server: Server;
let port = 0;

async function makeConnections(count: number): Promise<void> {
  for (let made = 0; made < count; made++) {
    const socket = connect({ host: '127.0.0.1', port });
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
  }
}

/** Of a record of this event. */
const RECORD_BYTES = 72;

/**
 * A record as text, without common_flags and common_preempt_count: each instance writes its record at a moment of its own,
 * and in between the scheduler may have asked for the CPU.
 */
function textOf(page: Buffer, at: number, cpu: number): string {
  return `${cpu} ${page.toString('hex', at, at + 2)} ${page.toString('hex', at + 4, at + RECORD_BYTES)}`;
}

/** Every record that an instance holds, by CPU, in their order. */
function takeRecords(path: string, take: (page: Buffer, at: number, cpu: number) => boolean): string[] {
  const pageFormat = parsePageFormat(readFileSync(`${path}/events/header_page`, 'utf8'));
  if (pageFormat === null) throw new Error('the page format is not understood');
  const taken: string[] = [];
  for (const name of readdirSync(`${path}/per_cpu`).sort()) {
    const cpu = Number(name.slice(3));
    const file = openSync(
      `${path}/per_cpu/${name}/trace_pipe_raw`,
      constants.O_RDONLY | constants.O_NONBLOCK,
    );
    try {
      for (;;) {
        const page = Buffer.alloc(PAGE_BYTES);
        readSync(file, page);
        const cursor = createCursor(epochAt(0n));
        openPage(cursor, pageFormat, page);
        while (nextRecord(cursor)) {
          if (take(page, cursor.record, cpu)) taken.push(textOf(page, cursor.record, cpu));
        }
      }
    } catch (error) {
      expect(error).toMatchObject({ code: 'EAGAIN' });
    } finally {
      closeSync(file);
    }
  }
  return taken;
}

describe.skipIf(missing)('filters that the agent decides itself', () => {
  beforeAll(async () => {
    const parsed = parseEventFormat(readFileSync(`${TRACING}/events/${EVENT}/format`, 'utf8'));
    if (parsed === null) throw new Error(`the format of ${EVENT} is not understood`);
    format = parsed;
    server = createServer((socket) => socket.end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ({ port } = server.address() as { port: number });
  });
  afterAll(() => void server.close());

  it('give the same records as the kernel', async () => {
    const ours = `(sport == ${port} || dport == ${port})`;
    const filters = FILTERS.map(
      (text) => `${ours} && (${text.replaceAll('PORT', `${port}`).replaceAll('PID', `${process.pid}`)})`,
    );
    const paths = [ours, ...filters].map((filter, index) => {
      const path = `${INSTANCES}/ktc-filters-${process.pid}-${index}`;
      mkdirSync(path);
      onTestFinished(() => rmdirSync(path));
      writeFileSync(`${path}/events/${EVENT}/filter`, filter);
      return path;
    });
    for (const path of paths) writeFileSync(`${path}/events/${EVENT}/enable`, '1');
    await makeConnections(20);
    for (const path of paths) writeFileSync(`${path}/events/${EVENT}/enable`, '0');

    const [all = '', ...filtered] = paths;
    const compiled = filters.map((filter) => {
      const result = compileFilter(filter, format);
      if (!result.ok) throw new Error(`${filter}: ${result.problem}`);
      return result.value;
    });
    const expected = filters.map((): string[] => []);
    const total = takeRecords(all, (page, at, cpu) => {
      for (const [index, passes] of compiled.entries())
        if (passes(page, at, cpu)) expected[index]?.push(textOf(page, at, cpu));
      return true;
    }).length;
    expect(total).toBeGreaterThan(100);
    const sizes = new Set<number>();
    for (const [index, path] of filtered.entries()) {
      const got = takeRecords(path, () => true);
      expect(got, filters[index]).toEqual(expected[index]);
      sizes.add(got.length);
    }
    // Not only all and nothing.
    expect(sizes.size).toBeGreaterThan(5);
  });

  it('are counted as filtered, and never written into the filter of the host', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'ktc-filters-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const path = join(directory, 'events.ndjson');
    const filter = `dport == ${port} && newstate != 1`;
    const agent = await withOneFilterForAll(() =>
      startAgent({
        config: {
          source: { kind: 'tracepoints', probes: { tcp_set_state: { filter } } },
          sink: { file: { enabled: true, path } },
        },
      }),
    );
    expect(readFileSync(`${TRACING}/events/${EVENT}/filter`, 'utf8')).toBe('none\n');
    const { source } = await agent.status();
    expect(source.probes.find(({ name }) => name === 'tcp_set_state')).toMatchObject({
      filter: `(protocol == 6) && (${filter})`,
      filtered_by: 'source',
    });
    await makeConnections(5);
    expect(await agent.stop()).toBe(0);
    const ledger = agent.finalLedger();
    expect(imbalances(ledger)).toEqual([]);
    expect(ledger.filtered.probe_filter).toBeGreaterThanOrEqual(25);
    const states = readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as TcpEvent)
      .filter((event) => event.event === 'tcp_state');
    expect(states.length).toBeGreaterThanOrEqual(10);
    for (const { remote_port, new_state } of states) {
      expect(remote_port).toBe(port);
      expect(new_state).not.toBe('ESTABLISHED');
    }
  });

  it('a filter of another program is told, booked, and left alone', async () => {
    onTestFinished(() => filterForAll(TRACING, EVENT, '0'));
    const agent = await withOneFilterForAll(() =>
      startAgent({
        config: {
          source: { kind: 'tracepoints' },
          sink: { file: { enabled: true, path: '/dev/null' } },
        },
      }),
    );
    expect((await agent.get('/readyz')).status).toBe(200);
    filterForAll(TRACING, EVENT, 'dport == 9');
    const told = new RegExp(
      `^source tracepoints is disturbed: another program has filtered sock:inet_sock_set_state for the whole host, ` +
        `to dport == 9: echo 0 > \\S+/events/${EVENT}/filter$`,
    );
    const { status, body } = await agent.get('/readyz');
    expect(status).toBe(503);
    expect(JSON.parse(body)).toEqual({ ready: false, reasons: [expect.stringMatching(told)] });
    await until(async () => (await agent.status()).ledger.lost.settings_changed === 1, 'it to be booked');
    expect(agent.log()).toContain('another program has filtered sock:inet_sock_set_state');
    expect(readFileSync(`${TRACING}/events/${EVENT}/filter`, 'utf8')).toBe('dport == 9\n');
    filterForAll(TRACING, EVENT, '0');
    expect((await agent.get('/readyz')).status).toBe(200);
    expect(await agent.stop()).toBe(0);
  });
});
