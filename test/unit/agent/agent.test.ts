/** The whole agent in this process: a source that does as it is told, the real pipeline, a real file. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { type Agent, createAgent } from '../../../src/agent/agent.ts';
import { configHash } from '../../../src/config/hash.ts';
import type { KtcEvent, TcpEvent } from '../../../src/event/tcp-event.ts';
import { createLedger } from '../../../src/ledger/ledger.ts';
import { systemFiles } from '../../../src/pipeline/spool/disk/files.ts';
import { openMemorySpool } from '../../../src/pipeline/spool/open.ts';
import { createFileSink } from '../../../src/sink/file/file.ts';
import type { HostReport } from '../../../src/source/host/report.ts';
import { PROBES, TRACEPOINTS } from '../../../src/source/probes.ts';
import type { RecordHandler, Source } from '../../../src/source/source.ts';
import { rateLimited } from '../../../src/telemetry/fault-log.ts';
import { watchProcess } from '../../../src/telemetry/process.ts';
import { type RecordFields, recordOf, SECOND } from '../../support/record-builder.ts';
import { createEventValidator } from '../../support/schema.ts';
import { taskOf } from '../../support/tasks.ts';
import { until } from '../../support/wait.ts';
import { configOf, makeDirectory } from './files.ts';

interface ScriptedSource extends Source {
  /** The agent's handler, once it runs. */
  readonly handler: Promise<RecordHandler>;
  /** What `stop` still has to give. */
  onStop: () => void;
  /** What the host says of itself. */
  report: HostReport | null;
  /** As it was set last. */
  lingerMs: number | null;
}

function createScriptedSource(filter = ''): ScriptedSource {
  let started: (handler: RecordHandler) => void = () => {};
  let ended: () => void = () => {};
  const source: ScriptedSource = {
    handler: new Promise((resolve) => {
      started = resolve;
    }),
    onStop() {},
    report: null,
    lingerMs: null,
    clock: {
      epoch: { high: 0, low: 0 },
      wallSeconds: 1_800_000_000,
      wallNanoseconds: 0,
      now: () => 0,
      follow: () => 0,
    },
    tasks: (thread) => taskOf(thread, `task${thread}`),
    ownPid: process.pid,
    kernel: { hostName: 'host', hostId: '', bootId: 'boot', release: '6.1' },
    session: 'cafe0123',
    run: (handler) =>
      new Promise((resolve) => {
        ended = resolve;
        started(handler);
      }),
    async stop() {
      source.onStop();
      source.onStop = () => {};
      ended();
    },
    setLinger(milliseconds) {
      source.lingerMs = milliseconds;
    },
    position: () => null,
    readHost: () => source.report,
    status: () => ({
      kind: 'tracepoints',
      processTracking: { enabled: true, problem: null },
      module: null,
      instance: 'test',
      clock: 'mono',
      cpus: [],
      probes: PROBES.map((name) => ({
        name,
        event: TRACEPOINTS.events[name],
        enabled: true,
        filter,
        filteredBy: 'kernel',
        problem: null,
      })),
      paused: false,
      disturbances: [],
    }),
  };
  return source;
}

function startAgent(source: Source, flags: Readonly<Record<string, string>> = {}) {
  const path = join(makeDirectory(), 'events.ndjson');
  const { config } = configOf({ 'sink.file.enabled': 'true', 'sink.file.path': path, ...flags });
  const processWatch = watchProcess();
  const log = pino({ level: 'silent' });
  const faults = rateLimited(log, { intervalMs: 60_000 });
  const ledger = createLedger(['file']);
  const { file } = config.sink;
  const agent: Agent = createAgent({
    config,
    sinks: [createFileSink({ path: file.path, maxBytes: file.max_bytes, maxFiles: file.max_files, log })],
    source,
    ledger,
    spool: openMemorySpool(ledger.sinks, config.queue.max_bytes, systemFiles),
    version: '0.0.0',
    log,
    faults,
    processWatch,
    onDelivered() {},
    onStopping() {},
  });
  const end = agent.run().finally(() => {
    faults.close();
    processWatch.close();
  });
  return {
    agent,
    end,
    config,
    events: () =>
      readFileSync(path, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as TcpEvent),
  };
}

function giveConnection(handler: RecordHandler, fields: RecordFields = {}): void {
  const change = (from: RecordFields['from'], to: RecordFields['to'], more: RecordFields) =>
    handler.record(
      recordOf('tcp_set_state', { thread: 7, ...fields, ...more, ...(from && { from }), ...(to && { to }) }),
    );
  change('CLOSE', 'SYN_SENT', { time: 0, localPort: 0, inTask: true });
  change('SYN_SENT', 'ESTABLISHED', { time: 1000 });
  change('ESTABLISHED', 'CLOSE', { time: SECOND });
}

const validate = createEventValidator();

describe('the agent', () => {
  test('delivers everything that was read before it stops, and balances', async () => {
    const source = createScriptedSource();
    const { agent, end, events } = startAgent(source);
    const handler = await source.handler;
    expect(handler.ready()).toBe(true);
    giveConnection(handler);
    // Read while stopping, and waiting for a port that nobody tells any more.
    source.onStop = () => {
      handler.record(recordOf('tcp_set_state', { socket: 9, from: 'CLOSE', to: 'SYN_SENT', localPort: 0 }));
      handler.malformedRecord();
      handler.malformedPage();
      handler.lost('kernel_overrun', 17);
    };
    agent.stop();
    agent.stop();
    expect(await end).toEqual({ ok: true });

    const { ledger, imbalances, sinks } = agent.snapshot();
    expect(imbalances).toEqual([]);
    expect(ledger).toMatchObject({ read: 5, malformed: 1, decoded: 4, derived: 4, emitted: 8, held: 0 });
    expect(ledger.lost).toMatchObject({ kernel_overrun: 17, malformed_page: 1 });
    expect(ledger.sinks['file']).toEqual({
      delivered: 8,
      rejected: {},
      dropped: {},
      recovered: 0,
      queued: 0,
      spooled: 0,
      in_flight: 0,
    });
    expect(sinks['file']).toMatchObject({ state: 'ready', problem: null });
    const written = events();
    expect(written).toHaveLength(8);
    expect(written.flatMap(validate)).toEqual([]);
    expect(written.map(({ event_id }) => event_id)).toEqual(
      written.map((_, index) => `boot-cafe0123-0-${index}`),
    );
    expect(written.at(-1)).toMatchObject({ event: 'tcp_connect', local_port: null, community_id: null });
  });

  test('hands over what a round has read at its end, and sends it as one request', async () => {
    const source = createScriptedSource();
    const { agent, end } = startAgent(source);
    const handler = await source.handler;
    await until(() => agent.snapshot().sinks['file']?.state === 'ready', 'the sink to be open');
    const { file } = agent.snapshot().ledger.sinks;
    for (const more of [true, true, false]) {
      giveConnection(handler);
      handler.advance(2 * SECOND, more);
      if (more) expect(file).toMatchObject({ in_flight: 0, delivered: 0 });
    }
    expect(file).toMatchObject({ queued: 0, in_flight: 18 });
    await until(() => file?.delivered === 18, 'the events to be delivered');
    expect(agent.snapshot().sinks['file']).toMatchObject({ batches_sent: 1 });
    agent.stop();
    await end;
  });

  test('sends what one batch cannot hold while the round goes on', async () => {
    const source = createScriptedSource();
    const { agent, end } = startAgent(source, { 'batch.max_events': '12' });
    const handler = await source.handler;
    for (let slice = 0; slice < 4; slice++) {
      giveConnection(handler);
      handler.advance(2 * SECOND, true);
    }
    const { file } = agent.snapshot().ledger.sinks;
    await until(() => file?.delivered === 24, 'the events to be delivered');
    agent.stop();
    await end;
  });

  test('sends a host_status without waiting for a round', async () => {
    const source = createScriptedSource();
    source.report = { time: 1, netns: 1, addresses: [], counters: {}, interfaces: {} };
    const { agent, end } = startAgent(source);
    await source.handler;
    expect((await agent.emitHostStatus()).ok).toBe(true);
    const { file } = agent.snapshot().ledger.sinks;
    await until(() => file?.delivered === 1, 'the host_status to be delivered');
    agent.stop();
    await end;
  });

  test('lets a reload change how long records wait in the kernel', async () => {
    const source = createScriptedSource();
    const { agent, end } = startAgent(source);
    await source.handler;
    agent.reload(configOf({ 'sink.stdout.enabled': 'true', 'batch.linger_ms': '50' }).config);
    expect(source.lingerMs).toBe(50);
    agent.stop();
    await end;
  });

  test('ends with a host_status that tells of all events before it, and of the configuration in effect', async () => {
    const source = createScriptedSource();
    source.report = {
      time: 7 * SECOND,
      netns: 4_026_531_840,
      addresses: ['10.1.2.3', '2001:db8::3'],
      counters: { 'Tcp.OutSegs': 7 },
      interfaces: { eth0: { rx_errors: 0 } },
    };
    const { agent, end, events } = startAgent(source, { 'exclude.addresses': '10.9.0.0/16' });
    giveConnection(await source.handler);
    const changed = configOf({ 'sink.stdout.enabled': 'true', 'exclude.ports': '443' }).config;
    agent.reload(changed);
    agent.stop();
    await end;
    const written = events() as readonly KtcEvent[];
    expect(written.flatMap(validate)).toEqual([]);
    expect(written.at(-1)).toMatchObject({
      event_id: 'boot-cafe0123-0-6',
      event: 'host_status',
      timestamp: '2027-01-15T08:00:07.000000000Z',
      uptime_s: 7,
      source_kind: 'tracepoints',
      config_hash: configHash(changed),
      ordinals: { 0: 6 },
      ledger: { decoded: 3, derived: 3, emitted: 6, 'sink.file.in_flight': 0 },
    });
    expect(agent.snapshot().imbalances).toEqual([]);
    expect(agent.snapshot().ledger).toMatchObject({ emitted: 7, sinks: { file: { delivered: 7 } } });
    expect(agent.snapshot().host_status).toEqual({
      config_hash: configHash(changed),
      interval_s: 60,
      last_event_id: 'boot-cafe0123-0-6',
    });
  });

  test('counts the retransmits of a life only when it sees all of them', async () => {
    for (const [filter, retransmits] of [
      ['', 0],
      ['dport == 443', null],
    ] as const) {
      const source = createScriptedSource(filter);
      const { agent, end, events } = startAgent(source);
      giveConnection(await source.handler);
      agent.stop();
      await end;
      expect(events().find(({ event }) => event === 'tcp_life')).toMatchObject({ retransmits });
    }
  });

  test('leaves its own connections out, and takes over what may be reloaded', async () => {
    const source = createScriptedSource();
    const { agent, end, events } = startAgent(source);
    const handler = await source.handler;
    giveConnection(handler, { thread: process.pid });
    agent.reload(
      configOf({ 'sink.stdout.enabled': 'true', 'exclude.ports': '443', 'events.tcp_state': 'false' }).config,
    );
    giveConnection(handler);
    giveConnection(handler, { remotePort: 80 });
    agent.stop();
    await end;
    const { ledger, imbalances } = agent.snapshot();
    expect(imbalances).toEqual([]);
    expect(ledger.filtered).toEqual({ own_traffic: 6, event_disabled: 6, excluded_port: 3 });
    expect(events().map(({ event, remote_port }) => [event, remote_port])).toEqual([
      ['tcp_connect', 80],
      ['tcp_connect_latency', 80],
      ['tcp_life', 80],
    ]);
  });

  test('suppresses what is above a limit, follows a reload of it, and ends with the open summaries', async () => {
    const source = createScriptedSource();
    const limit = { 'limits.events_per_second.tcp_state': '1', 'limits.burst_s': '4' };
    const { agent, end, events } = startAgent(source, { ...limit, 'summary.interval_s': '60' });
    const handler = await source.handler;
    giveConnection(handler);
    // Within the same second again: the burst is used up.
    giveConnection(handler, { socket: 2 });
    const { ledger } = agent.snapshot();
    expect(ledger.suppressed).toEqual({ tcp_state: 1 });
    agent.reload(configOf({ 'sink.stdout.enabled': 'true', 'summary.interval_s': '60' }).config);
    giveConnection(handler, { socket: 3 });
    const again = { socket: 4, time: 2 * SECOND, to: 'ESTABLISHED' } as const;
    handler.record(recordOf('tcp_retransmit_skb', again));
    agent.stop();
    await end;
    expect(agent.snapshot().imbalances).toEqual([]);
    expect(ledger).toMatchObject({ suppressed: { tcp_state: 1 }, filtered: {}, derived: 10, emitted: 19 });
    const written = events();
    expect(written.flatMap(validate)).toEqual([]);
    expect(written.filter(({ event }) => event === 'tcp_state')).toHaveLength(8);
    expect(written.at(-1)).toMatchObject({
      event: 'tcp_retransmit_summary',
      remote_address: '10.0.0.2',
      retransmits: 1,
      retransmits_suppressed: 0,
      interval_us: 2e6,
    });
  });

  test('ends with the problem that only an operator can mend, and drops what it cannot deliver', async () => {
    const source = createScriptedSource();
    const path = join(makeDirectory(), 'missing', 'events.ndjson');
    const { agent, end } = startAgent(source, { 'sink.file.path': path });
    giveConnection(await source.handler);
    expect(await end).toEqual({
      ok: false,
      problem: `sink file: cannot write events to ${path}: its directory does not exist; create it for the user of the agent`,
    });
    const { ledger, imbalances, sinks } = agent.snapshot();
    expect(imbalances).toEqual([]);
    expect(ledger.sinks['file']).toMatchObject({ delivered: 0, dropped: { shutdown: 6 }, queued: 0 });
    expect(sinks['file']?.state).toBe('failed');
  });
});
