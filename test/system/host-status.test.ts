/**
 * What a consumer can prove with the topic alone: real lossy TCP of this host → agent → real Kafka → kcat → jq, by the
 * programs of query/jq/ as docs/events.md shows them. Ten minutes of it with KTC_FAULTS, seconds without.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HostStatusEvent, KtcEvent } from '../../src/event/tcp-event.ts';
import { imbalances } from '../../src/ledger/ledger.ts';
import { KTC, type RunningAgent, startAgent, whyNoAgent } from '../support/agent.ts';
import { type Broker, startBroker, whyNoKafka } from '../support/kafka.ts';
import { enter, openPlace, type Place } from '../support/namespace.ts';
import { createEventValidator } from '../support/schema.ts';
import { askEvents, type MissingRow } from '../support/topic-questions.ts';
import { compile } from '../support/traffic/traffic.ts';
import { until } from '../support/wait.ts';

const missing = whyNoAgent() ?? whyNoKafka();
if (missing) console.warn(`skipped: host_status in Kafka: ${missing}`);

const TOPIC = 'ktc-events';
const PORT = 5001;
const LOSS_PERCENT = 5;
const IS_LONG = process.env['KTC_FAULTS'] !== undefined;
const TRAFFIC_MS = IS_LONG ? 600_000 : 6_000;
const INTERVAL_S = IS_LONG ? 60 : 2;
/** Of each run of the traffic program. */
const CONNECTIONS = 100;

interface RetransmitRow {
  readonly from: string;
  readonly to: string;
  readonly kernel_retransmits: number;
  readonly retransmits: number;
  readonly suppressed: number;
  readonly lost: number;
}

/** Requests from this host to a server in the place, one run after another, until the time is over. */
async function runTraffic(place: Place): Promise<number> {
  const program = await compile('connections');
  const target = [place.address, String(PORT)];
  const [command, ...words] = enter(place.namespace);
  const server = spawn(command, [...words, program, 'serve', ...target], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const served = text(server.stdout);
  await Promise.race([once(server.stdout, 'data'), served]);
  const deadline = performance.now() + TRAFFIC_MS;
  let connections = 0;
  for (; performance.now() < deadline; connections += CONNECTIONS) {
    const shape = [CONNECTIONS, 20, 10_000, 200].map(String);
    const client = spawn(program, ['request', ...target, ...shape], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    await once(client, 'close');
  }
  server.stdin.end();
  await served;
  return connections;
}

/** Sockets of this host that may send something to the place again. */
function busySockets({ address }: Place): number {
  const states = 'established syn-sent syn-recv fin-wait-1 close-wait closing last-ack';
  const filter = states.split(' ').flatMap((state) => ['state', state]);
  const args = ['--tcp', '--no-header', '--numeric', ...filter, 'dst', address];
  return execFileSync('ss', args, { encoding: 'utf8' }).split('\n').filter(Boolean).length;
}

function retransmitsOfThisHost(): number {
  const words = ['--zeros', '--noupdate', '--ignore', '--json', 'TcpRetransSegs'];
  const { kernel } = JSON.parse(execFileSync('nstat', words, { encoding: 'utf8' })) as {
    kernel: { TcpRetransSegs: number };
  };
  return kernel.TcpRetransSegs;
}

/** As an operator does it. */
async function emit(agent: RunningAgent): Promise<string> {
  const { address, port } = JSON.parse(
    agent
      .log()
      .split('\n')
      .find((line) => line.includes('telemetry endpoint is open')) ?? '{}',
  ) as { address: string; port: number };
  const command = spawn(KTC, ['status', '--emit', '--address', `${address}:${port}`]);
  const [printed, complaint] = await Promise.all([text(command.stdout), text(command.stderr)]);
  expect(complaint).toBe('');
  return printed.trim();
}

describe.skipIf(missing)('a topic with host_status', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-host-status-'));
  let broker: Broker;
  let place: Place;
  let agent: RunningAgent;
  /** The events on demand before and behind the traffic. */
  const asked: string[] = [];
  const nstat: number[] = [];
  /** As kcat has printed them, more than a string can hold. */
  const topic = join(directory, 'topic.ndjson');
  let connections = 0;
  let events = 0;
  const statuses: HostStatusEvent[] = [];
  /** One that others of its CPU follow, and the last one of a CPU that has no host_status. */
  const others: (KtcEvent | undefined)[] = [];

  beforeAll(async () => {
    broker = await startBroker();
    await broker.createTopic(TOPIC, 3);
    place = await openPlace();
    await place.lose(LOSS_PERCENT);
    agent = await startAgent({
      config: {
        host: { name: 'test-host', labels: { rack: 'r1' } },
        source: { buffer_kb: 16_384 },
        host_status: { interval_s: INTERVAL_S },
        sink: { kafka: { enabled: true, brokers: [broker.address], topic: TOPIC } },
      },
    });
    nstat.push(retransmitsOfThisHost());
    asked.push(await emit(agent));
    connections = await runTraffic(place);
    await until(() => busySockets(place) === 0, 'the sockets to be quiet');
    asked.push(await emit(agent));
    nstat.push(retransmitsOfThisHost());
    expect(await agent.stop()).toBe(0);
    const consumer = `kcat -b ${broker.address} -C -t ${TOPIC} -o beginning -e -q >${topic}`;
    execFileSync('sh', ['-euc', consumer]);
    for await (const line of createInterface({ input: createReadStream(topic) })) {
      const event = JSON.parse(line) as KtcEvent;
      events++;
      if (event.event === 'host_status') statuses.push(event);
      else if (event.cpu !== 0) others[1] = event;
      else others[0] ??= event;
    }
    statuses.sort((a, b) => (a.timestamp < b.timestamp ? -1 : 1));
    console.log(`${connections} connections, ${events} events`);
  });
  afterAll(async () => {
    await agent?.stop('SIGKILL');
    await place?.close();
    await broker?.stop();
    rmSync(directory, { recursive: true });
  });

  it('has them from the start to the stop, in intervals and on demand, each valid', () => {
    expect(statuses.flatMap(createEventValidator())).toEqual([]);
    const ids = statuses.map(({ event_id }) => event_id);
    expect(ids).toEqual(expect.arrayContaining(asked));
    expect(statuses.length).toBeGreaterThanOrEqual(Math.floor(TRAFFIC_MS / 1000 / INTERVAL_S) + asked.length);
    expect(statuses[0]?.uptime_s).toBeLessThanOrEqual(5);
    // The last one of all tells the account of the end.
    const last = statuses.at(-1);
    const { ordinals = {}, ledger = {} } = last ?? {};
    const total = Object.values(ordinals).reduce((sum, count) => sum + count, 0);
    expect([total, ledger['emitted']]).toEqual([events - 1, events - 1]);
    expect(last?.addresses).toContain(place.address.replace(/\d+$/, (end) => String(Number(end) - 1)));
    expect(imbalances(agent.finalLedger())).toEqual([]);
    expect(agent.finalLedger().emitted).toBe(events);
  });

  it('proves by jq that no event is missing', () => {
    const rows = askEvents<MissingRow>('missing.jq', `cat ${topic}`);
    expect(rows.flatMap((row) => row.missing)).toEqual([]);
    expect(rows.reduce((sum, { expected }) => sum + expected, 0)).toBe(events);
    expect(new Set(rows.map(({ session }) => session)).size).toBe(1);
  });

  it('names by jq the events that were taken out of it, whichever they are', () => {
    const removed = [...others, statuses[1]].flatMap((event) => event?.event_id ?? []);
    const patterns = removed.map((id) => `-e '"event_id":"${id}"'`).join(' ');
    const named = askEvents<MissingRow>('missing.jq', `grep -vF ${patterns} ${topic}`).flatMap(
      ({ session, cpu, missing: ordinals }) => ordinals.map((ordinal) => `${session}-${cpu}-${ordinal}`),
    );
    expect(named.sort()).toEqual(removed.sort());
    expect(named.length).toBeGreaterThanOrEqual(2);
  });

  it('has the retransmits that the kernel counted, interval by interval, in its own events and in nstat', () => {
    const rows = askEvents<RetransmitRow>('retransmits.jq', `cat ${topic}`);
    const [from = '', to = ''] = asked.map(
      (id) => statuses.find(({ event_id }) => event_id === id)?.timestamp ?? '',
    );
    const between = rows.filter((row) => row.from >= from && row.to <= to);
    const sum = (name: 'kernel_retransmits' | 'retransmits' | 'suppressed' | 'lost') =>
      between.reduce((total, row) => total + row[name], 0);
    console.log(
      `${between.length} intervals: the kernel counted ${sum('kernel_retransmits')} retransmits, ` +
        `there are ${sum('retransmits')} events`,
    );
    expect(sum('lost') + sum('suppressed')).toBe(0);
    expect(sum('kernel_retransmits')).toBeGreaterThan(connections / 10);
    expect(sum('retransmits')).toBe(sum('kernel_retransmits'));
    // By another program than the agent.
    const [before = 0, after = 0] = nstat;
    expect(sum('kernel_retransmits')).toBe(after - before);
  });
});
