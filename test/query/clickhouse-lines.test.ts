/** What the tables of query/clickhouse make of lines: columns, reasons, sums. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { communityId } from '../../src/event/community-id.ts';
import { type Engine, startEngine, whyNoEngine } from '../support/chdb/engine.ts';
import { CLICKHOUSE } from '../support/chdb/http.ts';
import { clickhouseTime, refreshSums } from '../support/chdb/questions.ts';
import { insertLines, sampleEvent, sampleLine } from '../support/chdb/sample-lines.ts';

const missing = whyNoEngine('26.9');
if (missing) console.warn(`skipped: lines in ClickHouse: ${missing}`);

describe.skipIf(missing)('lines', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await startEngine('26.9');
  });
  afterAll(() => engine?.stop());

  it('become events with their own identifiers', async () => {
    await engine.apply('--database', 'shown');
    const one = sampleEvent({
      local_address: '10.0.0.1',
      remote_address: '10.0.0.2',
      ip_version: 4,
      local_port: 5000,
      remote_port: 80,
      community_id: '1:NkuQiqqdcSGXk9uhIVJqqFJUZFU=',
    });
    await insertLines(
      engine,
      [JSON.stringify({ ...one, event_id: `${one['boot_id']}-00c0ffee-${one['cpu']}-42` })],
      'shown',
    );
    const [row] = await engine.rows('SELECT *, event_id, community_id, rack FROM shown.events');
    expect(row).toMatchObject({
      event_id: `${one['boot_id']}-00c0ffee-${one['cpu']}-42`,
      ordinal: 42,
      rack: 'r"07"',
      bytes_sent: 2 ** 53 - 1,
      local_address: '::ffff:10.0.0.1',
    });
  });

  it('keep port 0 apart from a port that is not known', async () => {
    await engine.apply('--database', 'ports');
    const known = { local_address: '10.0.0.1', remote_address: '10.0.0.2', ip_version: 4 };
    const lines = [
      { host: 'both', ...known, local_port: 0, remote_port: 80 },
      { host: 'none', ...known, local_port: null, remote_port: null },
      { host: 'one', ...known, local_port: null, remote_port: 0 },
      { host: 'unplaced', ...known, local_address: null, local_port: 5000, remote_port: 80 },
    ].map(sampleLine);
    await insertLines(engine, lines, 'ports');
    const bytes = Uint8Array.of(10, 0, 0, 1, 10, 0, 0, 2);
    expect(
      await engine.rows('SELECT host, local_port, remote_port, community_id FROM ports.events ORDER BY host'),
    ).toEqual([
      { host: 'both', local_port: 0, remote_port: 80, community_id: communityId(bytes, 0, 4, 4, 0, 80) },
      { host: 'none', local_port: null, remote_port: null, community_id: null },
      { host: 'one', local_port: null, remote_port: 0, community_id: null },
      { host: 'unplaced', local_port: 5000, remote_port: 80, community_id: null },
    ]);
  });

  it('tell the service by the label, and without it by the systemd unit', async () => {
    await engine.apply('--database', 'served');
    const lines = [
      { host: 'labelled', labels: { service: 'web' }, unit: 'nginx.service' },
      { host: 'other', labels: {}, unit: null },
      { host: 'unlabelled', labels: {}, unit: 'nginx.service' },
    ].map(sampleLine);
    await insertLines(engine, lines, 'served');
    expect(await engine.rows('SELECT host, service FROM served.events ORDER BY host')).toEqual([
      { host: 'labelled', service: 'web' },
      { host: 'other', service: '' },
      { host: 'unlabelled', service: 'nginx.service' },
    ]);
  });

  const valid = JSON.stringify(sampleEvent({ event_id: '' }));
  const judged = [
    ['no_json', 'not JSON at all'],
    ['no_json', sampleLine({}).slice(0, -20)],
    ['no_json', '\u0000\u0001'],
    ['schema_version', '{}'],
    ['no_json', '[1,2]'],
    ['schema_version', sampleLine({ schema_version: 2 })],
    ['unknown_event', sampleLine({ event: 'tcp_surprise' })],
    ['id_mismatch', valid],
    ['id_mismatch', sampleLine({ cpu: 'zero' })],
    ['id_mismatch', sampleLine({ event_id: 'other-00c0ffee-1-7' })],
    ['id_mismatch', sampleLine({ host: '' })],
    ['no_time', sampleLine({ timestamp: 'yesterday' })],
    ['time_out_of_range', sampleLine({ timestamp: '1970-01-01T00:00:01.000000000Z' })],
    ['time_out_of_range', sampleLine({ timestamp: '2200-01-01T00:00:00.000000000Z' })],
    ['impossible_value', sampleLine({ duration_us: -5 })],
    ['impossible_value', sampleLine({ duration_us: 1.5 })],
    ['impossible_value', sampleLine({ bytes_sent: 'many' })],
    ['impossible_value', sampleLine({ bytes_sent: 1e30 })],
    ['impossible_value', sampleLine({ remote_port: 70_000 })],
    ['impossible_value', sampleLine({ remote_address: '10.0.0.256' })],
  ] as const;
  it('that are no valid events are rejected, each with its reason, and only those', async () => {
    await engine.apply('--database', 'judged');
    const good = sampleLine({ labels: { pid: 'a label', cpu: '-1' } });
    const lines = judged.map(([, line]) => line);
    await insertLines(engine, [good, ...lines, '', ...lines, good], 'judged');
    const rows = await engine.rows('SELECT line, reason FROM judged.rejected FINAL');
    const found = new Map(rows.map(({ line, reason }) => [line, reason]));
    expect(judged.map(([, line]) => [found.get(line), line])).toEqual(judged);
    expect(rows.length).toBe(judged.length);
    expect(await engine.value('SELECT count() FROM judged.events FINAL')).toBe('1');
  });

  it('that were rejected are taken again when the reason is gone', async () => {
    const database = 'replayed';
    const old = sampleLine({
      timestamp: new Date(Date.now() - 20 * 86_400_000).toISOString().replace('Z', '000000Z'),
    });
    await engine.apply('--database', database, '--ttl-days', '10');
    await insertLines(engine, [old, 'never valid'], database);
    await engine.apply('--database', database, '--ttl-days', '30');
    const text = readFileSync(join(CLICKHOUSE, 'replay-rejected.sql'), 'utf8').replaceAll(/^--.*\n/gm, '');
    for (const reason of ['time_out_of_range', 'no_json']) {
      const until = clickhouseTime(Date.now() - 1);
      for (const statement of text.split(';').filter((part) => part.trim() !== ''))
        await engine.query(statement, { reason, until }, { database });
    }
    expect(await engine.value(`SELECT count() FROM ${database}.events`)).toBe('1');
    expect(await engine.rows(`SELECT reason, line FROM ${database}.rejected FINAL`)).toEqual([
      { reason: 'no_json', line: 'never valid' },
    ]);
  });

  it('become sums that repeats do not double, that late events reach, and that lose what is gone', async () => {
    const database = 'summed';
    await engine.apply('--database', database);
    const refresh = async (): Promise<unknown[]> => {
      await refreshSums(engine, database);
      const peers = await engine.rows(
        `SELECT toString(remote_address) AS peer, lives FROM ${database}.peer_traffic ORDER BY peer`,
      );
      const [all] = await engine.rows(`SELECT sum(lives) AS lives FROM ${database}.service_traffic`);
      return [...peers, all];
    };
    const lines = ['2001:db8::a', '2001:db8::b'].map((remote_address, ordinal) => {
      const one = sampleEvent({ remote_address });
      return JSON.stringify({ ...one, event_id: `${one['boot_id']}-00c0ffee-${one['cpu']}-${ordinal}` });
    });
    const both = [{ peer: '2001:db8::a', lives: 1 }, { peer: '2001:db8::b', lives: 1 }, { lives: 2 }];
    await insertLines(engine, lines.slice(0, 1), database);
    expect(await refresh()).toEqual([both[0], { lives: 1 }]);
    await insertLines(engine, [...lines, ...lines], database);
    expect(await refresh()).toEqual(both);
    await engine.query(`DELETE FROM ${database}.events WHERE remote_address = toIPv6('2001:db8::a')`);
    expect(await refresh()).toEqual([both[1], { lives: 1 }]);
  });
});
