/** Every SQL of Grafana's dashboards and alert rules, on a real ClickHouse about a fleet of which all is known. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ALERT_FILE } from '../../query/grafana/source/alerts.ts';
import { DASHBOARDS } from '../../query/grafana/source/dashboards.ts';
import { type Engine, startEngine, whyNoEngine } from '../support/chdb/engine.ts';
import { AS_NUMBERS, type Row } from '../support/chdb/http.ts';
import { type LoadedFleet, loadFleet } from '../support/chdb/questions.ts';
import { DURATION_MINUTES, hostAt, PLANTED } from '../support/fleet-truth/plan.ts';

const EVENTS = 60_000;
const MINUTE_MS = 60_000;
const missing = whyNoEngine('26.9');
if (missing) console.warn(`skipped: the SQL of Grafana's dashboards: ${missing}`);

interface Query {
  readonly name: string;
  readonly sql: string;
}

const PANELS: readonly Query[] = DASHBOARDS.flatMap(({ uid, panels }) =>
  (panels ?? []).flatMap((panel) =>
    'targets' in panel
      ? (panel.targets ?? []).flatMap((target) =>
          'rawSql' in target ? [{ name: `${uid}: ${panel.title}`, sql: String(target.rawSql) }] : [],
        )
      : [],
  ),
);
const VARIABLES: readonly Query[] = DASHBOARDS.flatMap(({ uid, templating }) =>
  (templating?.list ?? []).flatMap(({ name, type, query, datasource }) =>
    type === 'query' && datasource?.type === 'grafana-clickhouse-datasource'
      ? [{ name: `${uid}: variable ${name}`, sql: String(query) }]
      : [],
  ),
);
const ALERTS: readonly Query[] = ALERT_FILE.groups[0].rules.map((rule) => {
  const { uid, data } = rule as { uid: string; data: { model: { rawSql: string } }[] };
  return { name: uid, sql: data[0]?.model.rawSql ?? '' };
});

describe.skipIf(missing)('Grafana about a fleet of which all is known', () => {
  let engine: Engine;
  let fleet: LoadedFleet;

  /** What Grafana puts in place of its variables. */
  const fill = (sql: string, changes: Readonly<Record<string, string>> = {}): string => {
    const values: Readonly<Record<string, string>> = {
      ...{ __from: String(fleet.startMs), __to: String(fleet.endMs), __interval_s: '60' },
      ...{ datacenter: "'__all'", rack: "'__all'", service: "'__all'" },
      peer: `'${Object.keys(fleet.truth().retransmits.byPeer)[1]}'`,
      host: `'${hostAt(PLANTED.shortLived.hostIndex).name}'`,
      ...changes,
    };
    return sql.replaceAll(/\$\{?(\w+)(?::singlequote)?\}?/g, (whole, name: string) => values[name] ?? whole);
  };
  const ask = ({ sql }: Query, changes?: Readonly<Record<string, string>>): Promise<Row[]> =>
    engine.rows(fill(sql, changes), {}, AS_NUMBERS);
  const panel = (title: string, uid = 'ktc-fleet'): Query => {
    const found = PANELS.find(({ name }) => name === `${uid}: ${title}`);
    if (found === undefined) throw new Error(`no panel ${title}`);
    return found;
  };
  const alert = (uid: string): Promise<Row[]> => {
    const found = ALERTS.find(({ name }) => name === uid);
    if (found === undefined) throw new Error(`no alert ${uid}`);
    return ask(found);
  };
  const only = async (title: string): Promise<unknown> =>
    Object.values((await ask(panel(title)))[0] ?? {})[0];

  beforeAll(async () => {
    engine = await startEngine('26.9');
    await engine.apply();
    // Its last minute has just ended: alerts look at the last minutes.
    const nowMinute = Math.floor(Date.now() / MINUTE_MS);
    fleet = await loadFleet(engine, { events: EVENTS, startMs: (nowMinute - DURATION_MINUTES) * MINUTE_MS });
    await engine.query('SYSTEM RELOAD DICTIONARY ktc.peers');
  });
  afterAll(() => engine?.stop());

  test.each([...PANELS, ...VARIABLES])('$name runs', async (query) => {
    expect(await ask(query)).toBeInstanceOf(Array);
    if (VARIABLES.includes(query)) expect((await ask(query)).length).toBeGreaterThan(1);
  });

  test.each([...PANELS, ...ALERTS])('$name reads by the key', async (query) => {
    const plan = await engine.query(
      `EXPLAIN indexes = 1 ${fill(query.sql)}`,
      {},
      { database: 'ktc', default_format: 'TSVRaw' },
    );
    const reads = plan.split('ReadFromMergeTree').slice(1);
    // Those of a table that is empty read nothing.
    if (/FROM (events|host_status)/.test(query.sql)) expect(reads.length).toBeGreaterThan(0);
    const keys = {
      'ktc.events': 'toStartOfFiveMinutes(timestamp)',
      'ktc.host_status': 'toStartOfHour(timestamp)',
      'ktc.seen': '(host, boot_id, session) in',
    } as const;
    for (const read of reads) {
      const key = Object.entries(keys).find(([table]) => read.startsWith(` (${table})`))?.[1];
      if (key === undefined) continue;
      const condition = /PrimaryKey[\s\S]*?Condition: (.*)/.exec(read)?.[1];
      expect(condition, read.slice(0, 40)).toContain(key);
    }
  });

  test('the numbers at the top are the truth', async () => {
    const { retransmits, hosts, missing: gone } = fleet.truth();
    expect(await only('Retransmits')).toBe(retransmits.total);
    expect(await only('Hosts heard of')).toBe(hosts);
    expect(await only('Events missing without explanation')).toBe(
      gone.filter(({ why }) => why === 'removed').length,
    );
  });

  test('retransmits by kind over time', async () => {
    const sums: Record<string, number> = {};
    for (const { retransmit_kind: kind, retransmits } of await ask(panel('Retransmits by kind')))
      sums[String(kind)] = (sums[String(kind)] ?? 0) + Number(retransmits);
    expect(sums).toEqual(fleet.truth().retransmits.byKind);
  });

  test('a chosen label narrows every panel that has labels, and nothing chosen is all', async () => {
    const { from } = PLANTED.badRackPair;
    const { byHost } = fleet.truth().retransmits;
    const isIn = new Set(
      Array.from({ length: 200 }, (_, index) => hostAt(index))
        .filter(({ rack }) => rack === from)
        .map(({ name }) => name),
    );
    const expected = Object.entries(byHost).reduce(
      (sum, [host, count]) => sum + (isIn.has(host) ? count : 0),
      0,
    );
    const [row] = await ask(panel('Retransmits'), { rack: `'${from}'` });
    expect(row).toEqual({ retransmits: expected });
  });

  test('the worst peers come first, by name', async () => {
    const rows = await ask(panel('Worst peers'));
    const { byPeer } = fleet.truth().retransmits;
    for (const { peer, retransmits } of rows)
      expect(retransmits).toBeLessThanOrEqual(byPeer[String(peer)] ?? 0);
    expect(rows[0]).toMatchObject({ remote_rack: PLANTED.badRackPair.to });
    expect(rows[0]?.['remote_host']).toMatch(/\.example\.net$/);
  });

  test('the bad pair of racks comes first, in the list and in the matrix, since it went bad', async () => {
    const { from, to, fromMinute } = PLANTED.badRackPair;
    const [worst] = await ask(panel('Pairs of racks', 'ktc-racks'));
    expect(worst).toMatchObject({ from_rack: from, to_rack: to });
    const matrix = await ask(
      panel('Retransmits per 1,000 segments, sender’s rack down, receiver’s across', 'ktc-racks'),
    );
    const highest = matrix
      .filter(({ receiver }) => String(receiver).startsWith('r'))
      .sort((one, other) => Number(other['per_1000']) - Number(one['per_1000']))[0];
    expect(highest).toMatchObject({ sender: from, receiver: to });
    const until = { __to: String(fleet.startMs + fromMinute * MINUTE_MS) };
    const before = await ask(panel('Pairs of racks', 'ktc-racks'), until);
    const pair = before.find(({ from_rack, to_rack }) => from_rack === from && to_rack === to);
    expect(Number(pair?.['retransmits'] ?? 0)).toBeLessThan(Number(worst?.['retransmits']) / 5);
  });

  test('slow service, leak, silent host, full queue, unanswered peer, resets: each as planted', async () => {
    const { slowService, leakingService, silentHost, listenOverflow, unreachable, resetStorm } = PLANTED;
    const slow = (await ask(panel('Connect latency by service'))).filter(
      ({ to_service }) => !['ambiguous', 'unknown'].includes(String(to_service)),
    );
    expect(slow[0]?.['to_service']).toBe(slowService);
    expect((await ask(panel('Connections that are not closed')))[0]?.['service']).toBe(leakingService);
    expect((await ask(panel('Silent hosts'))).map(({ host }) => host)).toEqual([
      hostAt(silentHost.index).name,
    ]);
    const overflows = (listenOverflow.toMinute - listenOverflow.fromMinute) * listenOverflow.perMinute;
    expect(await ask(panel('Full listen queues'))).toEqual([
      expect.objectContaining({ host: hostAt(listenOverflow.hostIndex).name, overflows }),
    ]);
    const { byKind } = fleet.truth().retransmits;
    expect(await ask(panel('Peers that do not answer'))).toEqual([
      expect.objectContaining({ peer: unreachable.address, syns_again: byKind['syn'] }),
    ]);
    const { resetsByPeer } = fleet.truth();
    expect((await ask(panel('Resets')))[0]).toMatchObject({
      ...{ peer: resetStorm.peer, direction: 'sent', resets: resetsByPeer[`${resetStorm.peer} sent`] },
    });
  });

  test('the proof: what is missing, given up and unexplained, of the fleet and of each host', async () => {
    const { missing: gone, emitted } = fleet.truth();
    const dropped = gone.filter(({ why }) => why === 'dropped').length;
    const total = (await ask(panel('The account of the fleet', 'ktc-proof')))[0];
    // The first and the last host_status of each agent are the ends of what is counted.
    expect(Number(total?.['emitted'])).toBeLessThanOrEqual(emitted);
    expect(total).toMatchObject({
      ...{ missing: gone.length, given_up: dropped, unexplained: gone.length - dropped },
    });
    const hosts = await ask(panel('The account of each host', 'ktc-proof'));
    for (const { host, missing: count } of hosts.filter((row) => Number(row['missing']) > 0))
      expect(count).toBe(gone.filter((one) => one.host === host).length);
    const lost = await ask(panel('What agents have counted as lost', 'ktc-proof'));
    expect(lost).toContainEqual({
      ...{
        reason: 'lost.kernel_overrun',
        host: hostAt(PLANTED.overrun.hostIndex).name,
        lost: PLANTED.overrun.records,
      },
    });
    const kernels = await ask(panel('Kernels and agents', 'ktc-proof'));
    for (const { host, difference } of kernels.slice(10))
      expect({ host, difference }).toEqual({ host, difference: 0 });
  });

  describe('alert rules', () => {
    test.each(ALERTS)('$name answers texts and one number, also when there is nothing', async (query) => {
      const before = ALERTS.indexOf(query);
      expect(before).toBeGreaterThanOrEqual(0);
      // As if nothing had ever come: every table of the FROM is empty.
      const nothing = query.sql.replaceAll(
        "now64(9, 'UTC')",
        "toDateTime64('2000-01-01 00:00:00', 9, 'UTC')",
      );
      for (const rows of [await ask(query), await engine.rows(nothing)]) {
        expect(rows.length).toBeGreaterThan(0);
        for (const row of rows)
          for (const [name, value] of Object.entries(row))
            expect(typeof value).toBe(name === 'value' ? 'number' : 'string');
        const labels = rows.map(({ value: _, ...rest }) => JSON.stringify(rest));
        expect(new Set(labels).size).toBe(labels.length);
      }
      const empty = await engine.rows(nothing);
      expect(empty).toHaveLength(1);
      expect(empty[0]?.['value']).toBe(0);
    });

    test('the silent host is silent for as long as it is, and the others are not', async () => {
      const rows = await alert('ktc-silent-host');
      const [silent, next] = rows.sort((one, other) => Number(other['value']) - Number(one['value']));
      expect(silent?.['host']).toBe(hostAt(PLANTED.silentHost.index).name);
      const seconds = (DURATION_MINUTES - PLANTED.silentHost.fromMinute) * 60;
      expect(Number(silent?.['value'])).toBeGreaterThan(seconds);
      expect(Number(silent?.['value']) - Number(next?.['value'])).toBeCloseTo(seconds, -1);
    });

    test('missing events and losses of the last hour are told of the hosts that have them', async () => {
      const gone = Map.groupBy(
        fleet.truth().missing.filter(({ why }) => why === 'removed'),
        ({ host }) => host,
      );
      const rows = await alert('ktc-missing-events');
      const [, midway] = PLANTED.removed;
      expect(rows).toContainEqual({ host: hostAt(midway.hostIndex).name, value: midway.count });
      // Those at the start may be older than the two hours that it looks back, when it is asked.
      for (const { host, value } of rows)
        expect(Number(value)).toBeLessThanOrEqual(gone.get(String(host))?.length ?? 0);
      const lost = await alert('ktc-lost');
      expect(lost).toContainEqual({
        ...{
          host: hostAt(PLANTED.overrun.hostIndex).name,
          reason: 'lost.kernel_overrun',
          value: PLANTED.overrun.records,
        },
      });
    });
  });
});
