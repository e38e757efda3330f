/** Templates, pipelines and apply.sh of query/elasticsearch on a real OpenSearch. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EVENT_KINDS } from '../../src/event/kinds.ts';
import { type OpenSearch, startOpenSearch, whyNoOpenSearch } from '../support/opensearch.ts';
import { fullEvents } from '../support/sample-events.ts';

const APPLY = join(import.meta.dirname, '../../query/elasticsearch/apply.sh');
const missing = whyNoOpenSearch();
if (missing) console.warn(`skipped: the indices of Elasticsearch and OpenSearch: ${missing}`);

type Event = Record<string, unknown>;

const dayOf = (time: Date): string => time.toISOString().slice(0, 10).replaceAll('-', '.');
const timestampOf = (time: Date): string => `${time.toISOString().slice(0, -1)}000019Z`;
const now = new Date();
const today = dayOf(now);
const BOOT = '7b1c0e9a-5d2f-4b8e-9c3a-1f6e8d7c5b4a';
const SESSION = `${BOOT}-00c0ffee`;
let ordinal = 0;

/** An event as an agent sends it now, with an identifier of its own. */
function eventNow(base: Event = fullEvents[0] as unknown as Event, changes: Event = {}): Event {
  const event = { ...base, timestamp: timestampOf(now), cpu: 3, ...changes };
  return { ...event, event_id: changes['event_id'] ?? `${SESSION}-${event.cpu}-${ordinal++}` };
}

const HOST_STATUS: Event = {
  ...{
    schema_version: 1,
    event: 'host_status',
    host: 'web1',
    host_id: '893f',
    boot_id: BOOT,
    kernel: '3.10.0',
  },
  ...{
    labels: { rack: 'r7', team: 'net' },
    cpu: 3,
    agent_version: '0.1.0',
    uptime_s: 120,
    source_kind: 'module',
  },
  ...{ config_hash: '9f86d081884c7d65', addresses: ['10.1.2.3', '2001:db8::3'] },
  counters: { 'Tcp.OutSegs': 123_456, 'Tcp.RetransSegs': 12 },
  interfaces: {
    eth0: { rx_errors: 2, tx_errors: 1, rx_dropped: 5 },
    'eth0.100': { rx_errors: 4, tx_dropped: 6 },
  },
  ledger: {
    read: 600,
    held: 0,
    'lost.kernel_overrun': 3,
    'lost.crash': 4,
    'sink.kafka.rejected.too_large': 1,
  },
  ordinals: { 0: 512, 1: 188 },
};

describe.skipIf(missing)('events in OpenSearch', () => {
  let node: OpenSearch;
  const apply = (...words: string[]) => {
    const { status, stdout, stderr } = spawnSync(APPLY, ['--url', node.url, ...words], { encoding: 'utf8' });
    return { status, stdout, stderr };
  };
  const send = (index: string, action: object, events: readonly Event[]) =>
    node.bulk(
      index,
      action,
      events.map((event) => JSON.stringify(event)),
    );
  const sourceOf = async (id: unknown, index = 'ktc-events-*'): Promise<Event> => {
    const { hits } = await node.search(index, { query: { ids: { values: [id] } } });
    expect(hits.hits).toHaveLength(1);
    return hits.hits[0]?._source as Event;
  };
  const reasonOf = async (id: unknown): Promise<unknown> =>
    ((await sourceOf(id, 'ktc-rejected-*'))['error'] as Event)['message'];
  const kept = async (name: string): Promise<unknown> => (await node.request('GET', name)).body;

  beforeAll(async () => {
    node = await startOpenSearch();
    expect(apply()).toMatchObject({ status: 0 });
  });
  afterAll(() => node?.stop());

  test('apply.sh run again changes nothing, and says that a node without index management has no policy', async () => {
    const before = await Promise.all(
      ['_index_template/ktc-*', '_ingest/pipeline/ktc-*', '_component_template/ktc-*'].map(kept),
    );
    const again = apply();
    expect(again).toMatchObject({ status: 0, stderr: expect.stringContaining('no index state management') });
    expect(again.stdout.split('\n')).toContain('_index_template/ktc-events');
    const after = await Promise.all(
      ['_index_template/ktc-*', '_ingest/pipeline/ktc-*', '_component_template/ktc-*'].map(kept),
    );
    expect(after).toEqual(before);
  });

  test('apply.sh puts its parameters in the place of the values in the files', async () => {
    expect(apply('--retention-days', '400', '--shards', '3')).toMatchObject({ status: 0 });
    const pipeline = JSON.stringify(await kept('_ingest/pipeline/ktc-events-stream'));
    expect(pipeline).toContain(`"oldest_ms":${400 * 86_400_000}`);
    expect(JSON.stringify(await kept('_component_template/ktc-events'))).toContain('"number_of_shards":"3"');
    expect(apply()).toMatchObject({ status: 0 });
  });

  test.each([
    [['--retention-days', '0'], 64, '--retention-days 0'],
    [['--nonsense', 'x'], 64, 'usage: apply.sh'],
  ])('apply.sh refuses %j', (words, status, message) => {
    const result = apply(...words);
    expect(result.status).toBe(status);
    expect(result.stderr).toContain(message);
  });

  test('every field of every kind of event is in the document under its name', async () => {
    const events = fullEvents.map((event) => eventNow(event as unknown as Event));
    expect(events).toHaveLength(EVENT_KINDS.length);
    expect((await send('ktc-events', { index: {} }, events)).byStatus).toEqual({ 201: events.length });
    const byKind = Object.fromEntries(events.map((event) => [event['event'], event]));
    const life = byKind['tcp_life'] ?? {};
    expect(await sourceOf(life['event_id'])).toMatchObject({
      '@timestamp': life['timestamp'],
      ecs: { version: '8.11.0' },
      event: {
        action: 'tcp_life',
        id: life['event_id'],
        duration: Number(life['duration_us']) * 1000,
        type: ['connection', 'end'],
      },
      host: { name: life['host'], id: life['host_id'], boot: { id: BOOT }, os: { kernel: life['kernel'] } },
      source: {
        ip: '2001:db8::1',
        port: life['local_port'],
        bytes: life['bytes_sent'],
        packets: life['segments_sent'],
      },
      destination: { ip: '2001:db8::2', port: life['remote_port'], bytes: life['bytes_received'] },
      network: { type: 'ipv6', direction: 'egress', transport: 'tcp', community_id: life['community_id'] },
      process: { pid: life['pid'], name: life['comm'] },
      container: { id: life['container_id'] },
      service: { name: life['unit'] },
      related: { ip: ['2001:db8::1', '2001:db8::2'] },
      labels: { rack: 'r"07"', owner: 'Zoë' },
      ktc: {
        ...{ labels: ['owner=Zoë', 'rack=r"07"'], session: SESSION, cpu: 3, bytes_sent: life['bytes_sent'] },
        ...{ remote_address: '2001:db8::2', retransmits: life['retransmits'], srtt_us: life['srtt_us'] },
      },
    });
    const state = byKind['tcp_state'] ?? {};
    expect(await sourceOf(state['event_id'])).toMatchObject({
      ktc: { duration_us: state['duration_us'], new_state: 'CLOSE_WAIT' },
    });
    // Nothing is left outside of the names that the template knows.
    const { hits } = await node.search('ktc-events-*', {
      size: events.length,
      query: { ids: { values: events.map((event) => event['event_id']) } },
    });
    expect(hits.hits).toHaveLength(events.length);
    const names = new Set(hits.hits.flatMap(({ _source }) => Object.keys(_source as Event)));
    expect([...names].sort()).toEqual([
      '@timestamp',
      'agent',
      'container',
      'destination',
      'ecs',
      'event',
      'host',
      'ktc',
      'labels',
      'network',
      'process',
      'related',
      'service',
      'source',
      'systemd',
    ]);
  });

  test.each([
    ['active', { source: { ip: '10.0.0.1', port: 4000 }, destination: { ip: '10.0.0.2', port: 443 } }],
    ['passive', { source: { ip: '10.0.0.2', port: 443 }, destination: { ip: '10.0.0.1', port: 4000 } }],
    ['unknown', {}],
  ])('source and destination of a connection whose direction is %s', async (direction, ends) => {
    const changes = {
      direction,
      local_address: '10.0.0.1',
      local_port: 4000,
      remote_address: '10.0.0.2',
      remote_port: 443,
    };
    const event = eventNow(undefined, { ...changes, ip_version: 4 });
    await send('ktc-events', { index: {} }, [event]);
    const { source, destination, related } = await sourceOf(event['event_id']);
    expect({
      ...(source !== undefined && { source }),
      ...(destination !== undefined && { destination }),
    }).toEqual(ends);
    expect(related).toEqual({ ip: ['10.0.0.1', '10.0.0.2'] });
  });

  test('host_status keeps its numbers, with sums over what has no names of its own', async () => {
    const event = eventNow(HOST_STATUS);
    await send('ktc-events', { index: {} }, [event]);
    expect(await sourceOf(event['event_id'])).toMatchObject({
      agent: { version: '0.1.0' },
      event: { kind: 'metric', category: ['host'] },
      host: { name: 'web1', ip: ['10.1.2.3', '2001:db8::3'] },
      ktc: { emitted: 700, lost: 7, interface_errors: 7, interface_drops: 11 },
    });
    const own = { ids: { values: [event['event_id']] } };
    const found = (query: object) => node.count('ktc-events-*', { bool: { filter: [own, query] } });
    expect(await found({ range: { 'ktc.counters.Tcp.OutSegs': { gte: 123_456 } } })).toBe(1);
    expect(await found({ range: { 'ktc.ledger.lost.crash': { gte: 4 } } })).toBe(1);
    expect(await found({ range: { 'ktc.ledger.sink.kafka.rejected.too_large': { gte: 1 } } })).toBe(1);
    expect(await found({ term: { 'host.ip': '2001:db8::/32' } })).toBe(1);
    // An interface has no field in the mapping: there may be thousands.
    const mapping = JSON.stringify((await node.request('GET', `ktc-events-${today}/_mapping`)).body);
    expect(mapping).not.toContain('eth0');
  });

  test('any label can be searched, whatever it is called, and none adds a field', async () => {
    const labels = { rack: 'r9', 'rack.row': 'x', '': 'empty', team: 'net', long: 'x'.repeat(40_000) };
    const event = eventNow(undefined, { labels });
    expect((await send('ktc-events', { index: {} }, [event])).byStatus).toEqual({ 201: 1 });
    const found = (query: object) => node.count('ktc-events-*', query);
    expect(await found({ term: { 'labels.rack': 'r9' } })).toBe(1);
    for (const pair of ['rack=r9', 'rack.row=x', '=empty', 'team=net'])
      expect(
        await found({
          bool: { filter: [{ term: { 'ktc.labels': pair } }, { ids: { values: [event['event_id']] } }] },
        }),
      ).toBe(1);
    expect(JSON.stringify((await node.request('GET', `ktc-events-${today}/_mapping`)).body)).not.toContain(
      'team',
    );
  });

  test.each([
    [{ service: 'web' }, 'nginx.service', 'web'],
    [{ service: '' }, 'nginx.service', 'nginx.service'],
    [{}, null, undefined],
  ])(
    'the service of a host with the labels %j and a process of %s is called %s',
    async (labels, unit, name) => {
      const event = eventNow(undefined, { labels, unit });
      await send('ktc-events', { index: {} }, [event]);
      expect((await sourceOf(event['event_id']))['service']).toEqual(
        name === undefined ? undefined : { name },
      );
    },
  );

  test('a line of text becomes the same document as the event itself', async () => {
    const event = eventNow();
    await send('ktc-events', { index: {} }, [{ message: JSON.stringify(event) }]);
    const { event: meta, ...first } = await sourceOf(event['event_id']);
    await send('ktc-events', { index: {} }, [event]);
    const { event: metaAgain, ...second } = await sourceOf(event['event_id']);
    expect(second).toEqual(first);
    expect({ ...(metaAgain as Event), ingested: '' }).toEqual({ ...(meta as Event), ingested: '' });
  });

  describe('repeats', () => {
    const index = { index: {} };
    const create = { create: {} };

    test('of the same event make one document: written again by index, refused with 409 by create', async () => {
      const events = Array.from({ length: 50 }, () => eventNow());
      const before = await node.count('ktc-events-*');
      expect((await send('ktc-events', create, events)).byStatus).toEqual({ 201: 50 });
      expect((await send('ktc-events', index, events)).byStatus).toEqual({ 200: 50 });
      expect((await send('ktc-events', create, events)).byStatus).toEqual({ 409: 50 });
      expect(await node.count('ktc-events-*')).toBe(before + 50);
    });

    test('events go to the index of their day, also where a writer has made an index of the name it writes to', async () => {
      expect((await node.request('PUT', 'ktc-events')).status).toBe(200);
      const event = eventNow();
      await send('ktc-events', index, [event]);
      expect(await node.count(`ktc-events-${today}`, { ids: { values: [event['event_id']] } })).toBe(1);
      expect(await node.count('ktc-events')).toBe(0);
      expect((await node.request('DELETE', 'ktc-events')).status).toBe(200);
    });

    test('an event is in the index of its own day, whenever it comes', async () => {
      const yesterday = new Date(now.getTime() - 24 * 3_600_000);
      const event = eventNow(undefined, { timestamp: timestampOf(yesterday) });
      for (const status of [201, 409]) {
        expect((await send('ktc-events', create, [event])).byStatus).toEqual({ [status]: 1 });
      }
      expect(
        await node.count(`ktc-events-${dayOf(yesterday)}`, { ids: { values: [event['event_id']] } }),
      ).toBe(1);
    });

    test('the limit of a data stream: after a rollover the same event is stored once more', async () => {
      const event = eventNow();
      const stored = () => node.count('ktc-events-stream', { term: { 'event.id': event['event_id'] } });
      expect((await send('ktc-events-stream', create, [event])).byStatus).toEqual({ 201: 1 });
      expect((await send('ktc-events-stream', create, [event])).byStatus).toEqual({ 409: 1 });
      expect((await node.request('POST', 'ktc-events-stream/_rollover')).status).toBe(200);
      expect((await send('ktc-events-stream', create, [event])).byStatus).toEqual({ 201: 1 });
      expect(await stored()).toBe(2);
      expect(await node.request('DELETE', '_data_stream/ktc-events-stream')).toMatchObject({ status: 200 });
    });

    test('a document copied from one index to another keeps its content', async () => {
      const event = eventNow();
      await send('ktc-events', index, [event]);
      const document = await sourceOf(event['event_id']);
      const copy = { index: { _id: `copy-of-${event['event_id']}` } };
      await node.bulk('ktc-events', copy, [JSON.stringify(document)]);
      expect(await sourceOf(copy.index._id)).toEqual(document);
    });
  });

  describe('what is refused is in ktc-rejected-* with the reason', () => {
    const day = (count: number) => timestampOf(new Date(now.getTime() + count * 86_400_000));

    test.each([
      ['a host with its clock in 1970', { timestamp: '1970-01-01T00:00:17.000000000Z' }, 'time_out_of_range'],
      ['a host with its clock in 2200', { timestamp: '2200-01-01T00:00:17.000000000Z' }, 'time_out_of_range'],
      ['an event older than the indices are kept', { timestamp: day(-31) }, 'time_out_of_range'],
      ['a CPU that is no number', { cpu: 'zero', event_id: `${SESSION}-0-900001` }, 'event_id_mismatch'],
      ['an identifier of another boot', { event_id: 'other-00c0ffee-3-900002' }, 'event_id_mismatch'],
      ['an identifier without a number', { event_id: `${SESSION}-3-9x0` }, 'event_id_mismatch'],
      ['no host', { host: undefined }, 'not_an_event'],
      ['a time that is none', { timestamp: 'yesterday' }, 'not_an_event'],
    ])('%s', async (_, changes, reason) => {
      const before = await node.count('ktc-events-*');
      const event = eventNow(undefined, { ...changes });
      const action = { index: { _id: event['event_id'] } };
      expect((await send('ktc-events', action, [event])).byStatus).toEqual({ 201: 1 });
      expect(await reasonOf(event['event_id'])).toContain(`${reason}:`);
      expect(await node.count('ktc-events-*')).toBe(before);
      // As it came: it can be sent again once the clock or the retention is right.
      expect(await sourceOf(event['event_id'], 'ktc-rejected-*')).toMatchObject(
        JSON.parse(JSON.stringify(event)),
      );
    });

    test('a line that is no JSON, and the good lines beside it are kept', async () => {
      const good = eventNow();
      const before = await node.count('ktc-rejected-*');
      const documents = [
        { message: '{"event_id":"torn' },
        { message: JSON.stringify(good) },
        { message: 'null' },
      ];
      expect((await send('ktc-events', { index: {} }, documents)).byStatus).toEqual({ 201: 3 });
      expect(await sourceOf(good['event_id'])).toBeDefined();
      expect(await node.count('ktc-rejected-*')).toBe(before + 2);
      expect(await node.count('ktc-rejected-*', { exists: { field: 'error.message' } })).toBe(before + 2);
    });

    test('a message of several lines, which would lose all but the first', async () => {
      const message = `${JSON.stringify(eventNow())}\n${JSON.stringify(eventNow())}`;
      const before = await node.count('ktc-events-*');
      await send('ktc-events', { index: { _id: 'packed' } }, [{ message }]);
      expect(await reasonOf('packed')).toContain('several_events:');
      expect(await sourceOf('packed', 'ktc-rejected-*')).toMatchObject({ message });
      expect(await node.count('ktc-events-*')).toBe(before);
    });

    test('29 days old is young enough', async () => {
      const event = eventNow(undefined, { timestamp: day(-29) });
      await send('ktc-events', { index: {} }, [event]);
      expect(await sourceOf(event['event_id'])).toBeDefined();
    });
  });

  test('a value of the wrong type costs the field, not the event', async () => {
    const event = eventNow(undefined, { local_address: 'not an address', pid: 'many' });
    expect((await send('ktc-events', { index: {} }, [event])).byStatus).toEqual({ 201: 1 });
    expect(await node.count('ktc-events-*', { term: { _ignored: 'process.pid' } })).toBe(1);
  });

  test('what a writer adds beside the line does not hide the event', async () => {
    const event = eventNow();
    const added = { '@timestamp': '2020-01-01T00:00:00Z', event: { original: 'x' }, '@version': '1' };
    await send('ktc-events', { index: {} }, [{ ...added, message: JSON.stringify(event) }]);
    expect(await sourceOf(event['event_id'])).toMatchObject({
      '@timestamp': event['timestamp'],
      event: { id: event['event_id'] },
    });
  });

  test('fields that a newer agent adds are kept', async () => {
    const event = eventNow(undefined, { field_of_tomorrow: 'kept' });
    await send('ktc-events', { index: {} }, [event]);
    expect(await sourceOf(event['event_id'])).toMatchObject({ field_of_tomorrow: 'kept' });
  });
});
