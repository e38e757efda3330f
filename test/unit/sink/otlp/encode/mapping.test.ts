/** Where every field of an event arrives, read from what is sent. */
import { describe, expect, it } from 'vitest';
import { EVENT_KINDS } from '../../../../../src/event/kinds.ts';
import type { KtcEvent } from '../../../../../src/event/tcp-event.ts';
import { createJsonEncoder } from '../../../../../src/sink/otlp/encode/encode.ts';
import { severityOf } from '../../../../../src/sink/otlp/encode/severity.ts';
import { batchOf } from '../../../../support/batch.ts';
import { fieldsOf, fullEvent, fullEvents } from '../../../../support/sample-events.ts';
import { createEventValidator } from '../../../../support/schema.ts';

interface AnyValue {
  stringValue?: string;
  intValue?: number;
  arrayValue?: { values: AnyValue[] };
  kvlistValue?: { values: KeyValue[] };
}
interface KeyValue {
  key: string;
  value: AnyValue;
}
interface Request {
  resourceLogs: {
    schemaUrl: string;
    resource: { attributes: KeyValue[] };
    scopeLogs: {
      schemaUrl: string;
      scope: { name: string; version: string; attributes: KeyValue[] };
      logRecords: {
        timeUnixNano: string;
        observedTimeUnixNano: string;
        severityNumber: number;
        severityText: string;
        eventName: string;
        attributes: KeyValue[];
      }[];
    }[];
  }[];
}

const OBSERVED = Date.UTC(2026, 10, 24, 3, 0, 0, 7);

function encode(events: readonly object[]): Request {
  const batch = batchOf(events);
  const request = createJsonEncoder('1.2.3').encode(batch, 0, batch.count, OBSERVED);
  return JSON.parse(Buffer.from(request).toString('utf8')) as Request;
}

function valuesOf(attributes: readonly KeyValue[] = []): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, plainOf(value)]));
}

function plainOf({ stringValue, intValue, arrayValue, kvlistValue }: AnyValue): unknown {
  if (kvlistValue !== undefined) return valuesOf(kvlistValue.values);
  return stringValue ?? intValue ?? arrayValue?.values.map(plainOf);
}

/** By field: where it is found in a request of one event. */
const PLACES: Readonly<Record<string, string>> = {
  schema_version: 'scope ktc.schema_version',
  event_id: 'record log.record.uid',
  event: 'eventName',
  timestamp: 'timeUnixNano',
  host: 'resource host.name',
  host_id: 'resource host.id',
  boot_id: 'resource ktc.boot_id',
  kernel: 'resource os.version',
  pid: 'record process.pid',
  container_id: 'record container.id',
  cpu: 'record cpu.logical_number',
  ip_version: 'record network.type',
  local_address: 'record network.local.address',
  local_port: 'record network.local.port',
  remote_address: 'record network.peer.address',
  remote_port: 'record network.peer.port',
  addresses: 'record host.ip',
};

const AS_SENT: Readonly<Record<string, (value: unknown) => unknown>> = {
  event: (value) => `ktc.${value}`,
  // 2026-11-24T02:13:07.000000019Z: no number of JavaScript holds this.
  timestamp: () => '1795486387000000019',
  ip_version: (value) => `ipv${value}`,
};

describe('every field of the JSON schema', () => {
  it.each(EVENT_KINDS)('of %s arrives with its value', (kind) => {
    const event: KtcEvent = fullEvent(kind);
    expect(createEventValidator()(event)).toEqual([]);
    const [sent] = encode([event]).resourceLogs;
    const [scopeLogs] = sent?.scopeLogs ?? [];
    const [record] = scopeLogs?.logRecords ?? [];
    const found: Record<string, unknown> = {
      eventName: record?.eventName,
      timeUnixNano: record?.timeUnixNano,
      ...prefixed('resource', valuesOf(sent?.resource.attributes)),
      ...prefixed('scope', valuesOf(scopeLogs?.scope.attributes)),
      ...prefixed('record', valuesOf(record?.attributes)),
    };
    for (const field of fieldsOf(kind)) {
      if (field === 'labels') continue;
      const value = (event as unknown as Record<string, unknown>)[field];
      const place = PLACES[field] ?? `record ktc.${field}`;
      expect(found, `${field} at ${place}`).toHaveProperty([place], AS_SENT[field]?.(value) ?? value);
    }
    for (const [name, value] of Object.entries(event.labels)) {
      expect(found).toHaveProperty([`resource ktc.label.${name}`], value);
    }
    // Nothing else is there than this and what is constant.
    const constants = kind === 'host_status' ? 3 : 4;
    expect(Object.keys(found)).toHaveLength(
      fieldsOf(kind).length - 1 + Object.keys(event.labels).length + constants,
    );
    expect(found['record network.transport']).toBe(kind === 'host_status' ? undefined : 'tcp');
    expect(found).toMatchObject({
      'resource os.type': 'linux',
      'resource service.name': 'ktc-agent',
      'resource service.version': '1.2.3',
    });
  });

  it('is left out where it is null', () => {
    for (const event of fullEvents) {
      const nullable = [
        'comm',
        'netns',
        'local_port',
        'remote_address',
        'remote_port',
        'community_id',
        'ip_version',
        'state',
      ];
      const nulls = Object.fromEntries(
        nullable.filter((field) => field in event).map((field) => [field, null]),
      );
      const record = encode([{ ...event, ...nulls }]).resourceLogs[0]?.scopeLogs[0]?.logRecords[0];
      const full = encode([event]).resourceLogs[0]?.scopeLogs[0]?.logRecords[0];
      const gone = Object.keys(nulls).map((field) =>
        (PLACES[field] ?? `record ktc.${field}`).slice('record '.length),
      );
      expect(record?.attributes).toEqual(full?.attributes.filter(({ key }) => !gone.includes(key)));
    }
  });
});

function prefixed(place: string, values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${place} ${name}`, value]));
}

describe('a request', () => {
  it('says whose names and which agent it speaks for, and when it was sent', () => {
    const [sent] = encode([fullEvent('tcp_life')]).resourceLogs;
    const url = expect.stringMatching(/^https:\/\/opentelemetry\.io\/schemas\/1\.\d+\.0$/);
    expect(sent).toMatchObject({
      schemaUrl: url,
      scopeLogs: [{ schemaUrl: url, scope: { name: 'ktc-agent', version: '1.2.3' } }],
    });
    expect(sent?.scopeLogs[0]?.logRecords[0]?.observedTimeUnixNano).toBe('1795489200007000000');
  });

  it('holds the facts of the host once, and again where they differ', () => {
    const events = [...fullEvents, { ...fullEvent('tcp_reset'), labels: {} }, fullEvent('tcp_connect')];
    const sent = encode(events).resourceLogs;
    expect(sent.map(({ scopeLogs }) => scopeLogs[0]?.logRecords.length)).toEqual([EVENT_KINDS.length, 1, 1]);
    expect(
      Object.keys(valuesOf(sent[1]?.resource.attributes)).filter((name) => name.includes('label')),
    ).toEqual([]);
  });

  it('leaves out the id of a host that has none', () => {
    const [sent] = encode([{ ...fullEvent('tcp_reset'), host_id: '' }]).resourceLogs;
    expect(valuesOf(sent?.resource.attributes)).not.toHaveProperty(['host.id']);
  });

  it('holds a part of a batch', () => {
    const batch = batchOf(fullEvents);
    const request = createJsonEncoder('1').encode(batch, 2, 5, OBSERVED);
    const { resourceLogs } = JSON.parse(Buffer.from(request).toString('utf8')) as Request;
    expect(resourceLogs[0]?.scopeLogs[0]?.logRecords.map(({ eventName }) => eventName)).toEqual(
      fullEvents.slice(2, 5).map(({ event }) => `ktc.${event}`),
    );
  });
});

describe('the severity', () => {
  it.each([
    [{ event: 'tcp_state' }, 'DEBUG', 5],
    [{ event: 'tcp_connect' }, 'INFO', 9],
    [{ event: 'tcp_life' }, 'INFO', 9],
    [{ event: 'tcp_retransmit', retransmit_kind: 'rto' }, 'WARN', 13],
    [{ event: 'tcp_retransmit', retransmit_kind: 'syn' }, 'WARN', 13],
    [{ event: 'tcp_retransmit', retransmit_kind: 'unknown' }, 'WARN', 13],
    [{ event: 'tcp_retransmit', retransmit_kind: 'fast' }, 'INFO', 9],
    [{ event: 'tcp_retransmit', retransmit_kind: 'tlp' }, 'INFO', 9],
    [{ event: 'tcp_reset', state: 'SYN_SENT' }, 'WARN', 13],
    [{ event: 'tcp_reset', state: 'SYN_RECV' }, 'WARN', 13],
    [{ event: 'tcp_reset', state: 'ESTABLISHED' }, 'WARN', 13],
    [{ event: 'tcp_reset', state: 'LAST_ACK' }, 'INFO', 9],
    [{ event: 'tcp_reset', state: null }, 'INFO', 9],
  ])('of %o is %s', (impact, text, number) => {
    expect(severityOf(impact)).toEqual({ text, number });
  });
});
