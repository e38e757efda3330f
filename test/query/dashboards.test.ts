/** Every panel of Kibana and of OpenSearch Dashboards is asked on a real engine about a fleet of which all is known. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lensQuestion } from '../support/dashboards/lens.ts';
import { ask, type Question, type Row, type SavedObject } from '../support/dashboards/request.ts';
import { visualizationQuestion } from '../support/dashboards/visualization.ts';
import { type FleetLines, recentFleet } from '../support/fleet-documents.ts';
import type { FleetEvent } from '../support/fleet-truth/event.ts';
import { hostAt, PLANTED } from '../support/fleet-truth/plan.ts';
import { type OpenSearch, startOpenSearch, whyNoOpenSearch } from '../support/opensearch.ts';

const ROOT = join(import.meta.dirname, '../../query/elasticsearch');
const missing = whyNoOpenSearch();
if (missing) console.warn(`skipped: the panels of Kibana and OpenSearch Dashboards: ${missing}`);

const EVENTS = 60_000;
const PORT_OF_SLOW_SERVICE = 5432;
const INDEX = 'ktc-events-*';
/** Over several indices the engine estimates the end of a list of the most frequent values. */
const CERTAIN_ROWS = 20;

const objectsOf = (file: string): SavedObject[] =>
  readFileSync(join(ROOT, 'generated', file), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as SavedObject);
const KIBANA = objectsOf('kibana-7.17.ndjson').filter(({ type }) => type === 'lens');
const KIBANA_8 = objectsOf('kibana-8.ndjson').filter(({ type }) => type === 'lens');
const OPENSEARCH = objectsOf('opensearch-dashboards.ndjson').filter(
  ({ type, attributes }) =>
    type === 'visualization' && !String(attributes['visState']).includes('input_control_vis'),
);

const byLabel =
  (label: string) =>
  (row: Row | undefined): number =>
    row?.values[label] ?? Number.NaN;
/** The rows as an object: joined keys → the number of that label. */
const countsOf = (rows: readonly Row[], label: string): Record<string, number> =>
  Object.fromEntries(rows.map((row) => [row.keys.join(' '), byLabel(label)(row)]));
describe.skipIf(missing)('panels about a fleet of which all is known', () => {
  let node: OpenSearch;
  let fleet: FleetLines;
  let events: FleetEvent[];

  beforeAll(async () => {
    node = await startOpenSearch();
    expect(spawnSync(join(ROOT, 'apply.sh'), ['--url', node.url]).status).toBe(0);
    fleet = recentFleet(EVENTS);
    events = fleet.lines.map((line) => JSON.parse(line) as FleetEvent);
    expect((await node.bulk('ktc-events', { create: {} }, fleet.lines)).byStatus).toEqual({
      201: fleet.lines.length,
    });
    expect((await node.bulk('ktc-events', { create: {} }, fleet.repeats)).byStatus).toEqual({
      409: fleet.repeats.length,
    });
  });
  afterAll(() => node?.stop());

  const panelOf = (objects: readonly SavedObject[], id: string): SavedObject => {
    const found = objects.find((object) => object.id === `ktc-${id}`);
    if (found === undefined) throw new Error(`no panel ${id}`);
    return found;
  };
  const rowsOf = (id: string, filter?: object) => ask(node, INDEX, lensQuestion(panelOf(KIBANA, id)), filter);

  test('both sets of Kibana ask the same', () => {
    expect(KIBANA_8.map(({ id }) => id)).toEqual(KIBANA.map(({ id }) => id));
    for (const panel of KIBANA) {
      const newer = lensQuestion(panelOf(KIBANA_8, panel.id.slice(4)));
      const older = lensQuestion(panel);
      // The newer one asks each index for more values.
      const exact = JSON.stringify(newer.buckets).replaceAll('"shard_size":1000,', '');
      expect(exact).toBe(JSON.stringify(older.buckets));
      expect([newer.query, newer.measures]).toEqual([older.query, older.measures]);
    }
  });

  test('OpenSearch Dashboards asks the same, in its own words', () => {
    expect(OPENSEARCH.map(({ id }) => id)).toEqual(KIBANA.map(({ id }) => id));
    const fieldsOf = ({ buckets }: Question) =>
      buckets.flatMap(({ terms }) => (terms === undefined ? [] : [terms]));
    const parts = (question: Question) => ({
      query: question.query,
      fields: fieldsOf(question).map((terms) => (terms as { field: string }).field),
      measures: [
        ...new Set(Object.values(question.measures).map((measure) => JSON.stringify(measure))),
      ].sort(),
    });
    for (const panel of KIBANA) {
      const same = visualizationQuestion(panelOf(OPENSEARCH, panel.id.slice(4)));
      // It has no filter of one column: there each filter is a bucket, which the test of CLOSE_WAIT compares.
      if (panel.id !== 'ktc-close-wait') expect(parts(same), panel.id).toEqual(parts(lensQuestion(panel)));
    }
  });

  test.each(KIBANA.map((panel) => [panel.id.slice(4), panel] as const))(
    'Kibana, %s has an answer',
    async (_, panel) => {
      const rows = await ask(node, INDEX, lensQuestion(panel));
      expect(rows.length).toBeGreaterThan(0);
      for (const { values } of rows.slice(0, 1))
        for (const value of Object.values(values)) expect(value).not.toBeNaN();
    },
  );

  test.each(OPENSEARCH.map((panel) => [panel.id.slice(4), panel] as const))(
    'OpenSearch Dashboards, %s has an answer',
    async (_, panel) => {
      const rows = await ask(node, INDEX, visualizationQuestion(panel));
      expect(rows.length).toBeGreaterThan(0);
    },
  );

  test('the numbers at the top are exact, though some events came twice', async () => {
    const { retransmits, hosts, byKind } = fleet.truth;
    const number = async (id: string) => Object.values((await rowsOf(id))[0]?.values ?? {})[0];
    expect(await number('retransmits')).toBe(retransmits.total);
    expect(await number('hosts')).toBe(hosts);
    expect(await number('resets')).toBe(byKind['tcp_reset']);
    expect(await number('connections')).toBe(byKind['tcp_life']);
  });

  test('retransmits by kind over time', async () => {
    const rows = await rowsOf('retransmits-over-time');
    const sums: Record<string, number> = {};
    for (const { keys, values } of rows)
      sums[String(keys[0])] = (sums[String(keys[0])] ?? 0) + (values['Events'] ?? 0);
    expect(sums).toEqual(fleet.truth.retransmits.byKind);
  });

  test('the worst peers and hosts come first', async () => {
    const { byPeer, byHost } = fleet.truth.retransmits;
    for (const [id, truth] of [
      ['worst-peers', byPeer],
      ['worst-hosts', byHost],
    ] as const) {
      const rows = (await rowsOf(id)).slice(0, CERTAIN_ROWS);
      expect(rows.map(byLabel('Retransmits'))).toEqual(Object.values(truth).slice(0, CERTAIN_ROWS));
      for (const row of rows) expect(byLabel('Retransmits')(row)).toBe(truth[String(row.keys[0])]);
    }
  });

  test('the bad rack comes first', async () => {
    const rows = await rowsOf('racks-by-kind');
    expect(rows[0]?.keys[0]).toBe(PLANTED.badRackPair.from);
  });

  test('the retransmit ratio of a host is that of its kernel', async () => {
    const rows = await rowsOf('retransmit-ratio');
    const statuses = Map.groupBy(
      events.filter(({ event }) => event === 'host_status'),
      ({ host }) => host,
    );
    expect(rows).toHaveLength(fleet.truth.hosts);
    for (const { keys, values } of rows) {
      const own = statuses.get(String(keys[0])) ?? [];
      const growth = (name: string): number => {
        const all = own.map(({ counters }) => counters?.[name] ?? 0);
        return Math.max(...all) - Math.min(...all);
      };
      expect(values['Retransmitted']).toBe(growth('Tcp.RetransSegs'));
      expect(values['Ratio']).toBe(growth('Tcp.RetransSegs') / growth('Tcp.OutSegs'));
    }
  });

  test('the slow service is the slowest', async () => {
    const rows = await rowsOf('latency-by-port');
    expect(rows[0]?.keys).toEqual([PORT_OF_SLOW_SERVICE]);
    for (const row of rows) {
      const latencies = events
        .filter(({ event, remote_port }) => event === 'tcp_connect_latency' && remote_port === row.keys[0])
        .map(({ latency_us }) => latency_us ?? 0)
        .sort((a, b) => a - b);
      const median = latencies[Math.floor(latencies.length / 2)] ?? 0;
      // The engine's percentiles are estimates.
      expect(byLabel('p50')(row) / median, `port ${row.keys[0]}`).toBeCloseTo(1, 1);
    }
  });

  test('the peer that does not answer', async () => {
    const { unreachable } = PLANTED;
    expect(countsOf(await rowsOf('unanswered'), 'SYNs sent again')).toEqual({
      [unreachable.address]: fleet.truth.retransmits.byKind['syn'],
    });
  });

  test('the storm of resets, by side', async () => {
    const { resetsByPeer } = fleet.truth;
    const rows = countsOf(await rowsOf('resets-by-peer'), 'Events');
    expect(Object.keys(rows)[0]).toBe(Object.keys(resetsByPeer)[0]);
    for (const side of ['sent', 'received']) {
      const key = `${PLANTED.resetStorm.peer} ${side}`;
      expect(rows[key]).toBe(resetsByPeer[key]);
    }
  });

  test('the service that leaks enters CLOSE_WAIT and does not leave it', async () => {
    const rows = await rowsOf('close-wait');
    const leaks = Object.fromEntries(
      rows.map((row) => [row.keys[0], byLabel('Entered')(row) - byLabel('Left')(row)]),
    );
    const states = (service: string, state: 'old_state' | 'new_state') =>
      events.filter((event) => event.labels['service'] === service && event[state] === 'CLOSE_WAIT').length;
    for (const [service, leak] of Object.entries(leaks))
      expect(leak, service).toBe(states(service, 'new_state') - states(service, 'old_state'));
    const worst = Object.entries(leaks).sort(([, one], [, other]) => Number(other) - Number(one))[0];
    expect(worst?.[0]).toBe(PLANTED.leakingService);
    const perFilter = await ask(node, INDEX, visualizationQuestion(panelOf(OPENSEARCH, 'close-wait')));
    expect(countsOf(perFilter, 'Events')).toEqual(
      Object.fromEntries(
        rows.flatMap((row) =>
          ['Entered', 'Left'].map((label) => [`${row.keys[0]} ${label}`, byLabel(label)(row)]),
        ),
      ),
    );
  });

  test('full queues, bad cables, lost records: on the hosts where they were planted, with their number', async () => {
    const { listenOverflow, badCable, overrun } = PLANTED;
    const overflows = (listenOverflow.toMinute - listenOverflow.fromMinute) * listenOverflow.perMinute;
    const above0 = async (id: string, label: string) =>
      Object.fromEntries(Object.entries(countsOf(await rowsOf(id), label)).filter(([, count]) => count > 0));
    expect(await above0('listen-overflows', 'Refused')).toEqual({
      [hostAt(listenOverflow.hostIndex).name]: overflows,
    });
    const highest = Math.max(
      ...events
        .filter(({ host }) => host === hostAt(badCable.hostIndex).name)
        .map(({ interfaces }) => interfaces?.['eth0']?.['rx_errors'] ?? 0),
    );
    expect(highest).toBeGreaterThan(0);
    expect(await above0('cables', 'Errors')).toEqual({
      [hostAt(badCable.hostIndex).name]: highest,
    });
    expect(countsOf(await rowsOf('lost'), 'Lost')).toEqual({
      [hostAt(overrun.hostIndex).name]: overrun.records,
    });
  });

  test('the silent host is the first of those that were not heard of', async () => {
    const ageOf = byLabel('Last heard of');
    const [silent, next] = (await rowsOf('silent-hosts')).sort((one, other) => ageOf(one) - ageOf(other));
    expect(silent?.keys).toEqual([hostAt(PLANTED.silentHost.index).name]);
    expect(ageOf(silent)).toBeLessThan(fleet.startMs + PLANTED.silentHost.fromMinute * 60_000);
    expect(ageOf(next)).toBeGreaterThan(fleet.endMs - 60_000);
  });

  test('versions of agents, with the number of hosts', async () => {
    const rows = countsOf(await rowsOf('versions'), 'Hosts');
    const expected: Record<string, Set<string>> = {};
    for (const { agent_version, config_hash, host } of events.filter(
      ({ event }) => event === 'host_status',
    )) {
      const key = `${agent_version} ${config_hash}`;
      expected[key] ??= new Set();
      expected[key].add(host);
    }
    expect(rows).toEqual(
      Object.fromEntries(Object.entries(expected).map(([key, hosts]) => [key, hosts.size])),
    );
  });

  test('the dashboard of one peer is about the one that is chosen', async () => {
    const hasRoundTrips = new Set(
      events.filter(({ srtt_us }) => srtt_us).map((event) => event.remote_address),
    );
    const peer =
      Object.keys(fleet.truth.retransmits.byPeer).find((address) => hasRoundTrips.has(address)) ?? '';
    const own = events.filter(({ remote_address }) => remote_address === peer);
    const rows = await rowsOf('peer-hosts', { term: { 'ktc.remote_address': peer } });
    const byHost = Map.groupBy(own, ({ host }) => host);
    expect(rows.length).toBe(Math.min(50, byHost.size));
    for (const row of rows) expect(byLabel('Events')(row)).toBe(byHost.get(String(row.keys[0]))?.length);
    const roundTrip = await rowsOf('peer-round-trip', { term: { 'ktc.remote_address': peer } });
    expect(roundTrip.length).toBeGreaterThan(0);
  });

  test('questions/missing-events.json finds what is missing, to the unit', async () => {
    const body: unknown = JSON.parse(readFileSync(join(ROOT, 'questions/missing-events.json'), 'utf8'));
    const { aggregations } = await node.search(INDEX, body);
    const { buckets } = (aggregations as { streams: { buckets: readonly Record<string, unknown>[] } })
      .streams;
    const found: Record<string, number> = {};
    for (const { key, missing } of buckets as { key: { host: string }; missing: { value: number } }[])
      found[key.host] = (found[key.host] ?? 0) + missing.value;
    const expected: Record<string, number> = {};
    for (const { host } of fleet.truth.missing) expected[host] = (expected[host] ?? 0) + 1;
    expect(found).toEqual(expected);
  });
});
