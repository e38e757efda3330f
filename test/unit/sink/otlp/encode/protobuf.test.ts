/** Our own encoder writes what OpenTelemetry's serializer writes, to the byte. */
import { ProtobufLogsSerializer } from '@opentelemetry/otlp-transformer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EVENT_KINDS } from '../../../../../src/event/kinds.ts';
import type { KtcEvent } from '../../../../../src/event/tcp-event.ts';
import { createProtobufEncoder } from '../../../../../src/sink/otlp/encode/encode.ts';
import { batchOf, batchOfTexts } from '../../../../support/batch.ts';
import { fieldsOf, fullEvent, fullEvents } from '../../../../support/sample-events.ts';
import { byOpenTelemetry, OBSERVED_MS, VERSION } from './by-opentelemetry.ts';

function byOurselves(events: readonly object[], encoder = createProtobufEncoder(VERSION)): Buffer {
  const batch = batchOf(events);
  return Buffer.from(encoder.encode(batch, 0, batch.count, OBSERVED_MS));
}

const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }));
const whole = fc.oneof(
  fc.nat(),
  fc.maxSafeNat(),
  fc.constantFrom(0, 1, 127, 128, 2 ** 31, 2 ** 32, 2 ** 53 - 1),
);
const second = fc.date({ min: new Date(0), max: new Date('2200-01-01T00:00:00Z'), noInvalidDate: true });

const events = fc.constantFrom(...EVENT_KINDS).chain((kind) => {
  const base = fullEvent(kind) as unknown as Record<string, unknown>;
  const values = fieldsOf(kind).map((field) => {
    if (typeof base[field] === 'number' && field !== 'ip_version' && field !== 'schema_version')
      return [field, fc.option(whole)];
    return [field, fc.constant(base[field])];
  });
  return fc.record({
    ...(Object.fromEntries(values) as Record<string, fc.Arbitrary<unknown>>),
    comm: fc.option(text),
    timestamp: fc
      .tuple(second, fc.nat({ max: 999_999_999 }))
      .map(([date, nanos]) => `${date.toISOString().slice(0, 19)}.${String(nanos).padStart(9, '0')}Z`),
    ip_version: fc.constantFrom(4, 6, null),
    labels: fc.constantFrom({}, { rack: 'r07' }, { rack: '"}' }),
    host_id: fc.constantFrom('', 'abc'),
    ...(kind === 'tcp_retransmit' && { retransmit_kind: fc.constantFrom('rto', 'tlp', 'unknown') }),
    ...('state' in base && { state: fc.constantFrom(null, 'ESTABLISHED', 'CLOSE', 'SYN_SENT') }),
  });
}) as fc.Arbitrary<unknown> as fc.Arbitrary<KtcEvent>;

describe('a request in protobuf', () => {
  it('is that of OpenTelemetry for one event of each kind', () => {
    for (const event of fullEvents) expect(byOurselves([event])).toEqual(byOpenTelemetry([event]));
    expect(byOurselves(fullEvents)).toEqual(byOpenTelemetry(fullEvents));
  });

  it('is that of OpenTelemetry for any events, from an encoder that has seen others before', () => {
    const encoder = createProtobufEncoder(VERSION);
    fc.assert(
      fc.property(fc.array(events, { minLength: 1, maxLength: 6 }), (list) => {
        // OpenTelemetry groups the records of one origin that lie apart; ours are asked for one by one.
        for (const event of list) expect(byOurselves([event], encoder)).toEqual(byOpenTelemetry([event]));
        const sameOrigin = list.map((event) => ({ ...event, labels: {}, host_id: 'x' }));
        expect(byOurselves(sameOrigin, encoder)).toEqual(byOpenTelemetry(sameOrigin));
      }),
      { numRuns: 500 },
    );
  });

  it('begins a new Resource where the origin changes, and comes back to an old one', () => {
    const [first, second, third] = [
      fullEvent('tcp_life'),
      { ...fullEvent('tcp_reset'), host_id: '' },
      fullEvent('tcp_state'),
    ];
    expect(byOurselves([first, second, third])).toEqual(
      Buffer.concat([byOpenTelemetry([first]), byOpenTelemetry([second]), byOpenTelemetry([third])]),
    );
    const longer = { ...first, host_id: `${first.host_id}0`, schema_version: 11 };
    expect(byOurselves([first, longer])).toEqual(
      Buffer.concat([byOpenTelemetry([first]), byOpenTelemetry([longer as unknown as KtcEvent])]),
    );
  });

  it('keeps fields that this version does not know', () => {
    const later = { zero_windows: 3, cause: 'no "route"' };
    const event: KtcEvent = { ...fullEvent('tcp_connect'), ...later };
    expect(byOurselves([event])).toEqual(byOpenTelemetry([event]));
  });

  it('takes larger events than any before', () => {
    const event = { ...fullEvent('tcp_connect'), comm: 'x'.repeat(300_000) } as KtcEvent;
    expect(byOurselves([event, fullEvent('tcp_life'), event])).toEqual(
      byOpenTelemetry([event, fullEvent('tcp_life'), event]),
    );
  });

  it('may use the memory of one that was given back, and of no other', () => {
    const encoder = createProtobufEncoder(VERSION);
    const encode = (event: KtcEvent) => encoder.encode(batchOf([event]), 0, 1, OBSERVED_MS);
    const [large, small] = [fullEvent('tcp_life'), fullEvent('tcp_connect')];
    const [first, second] = [encode(large), encode(large)];
    encoder.recycle(first);
    const [third, fourth, fifth] = [encode(small), encode(small), encode(large)];
    expect(third.buffer).toBe(first.buffer);
    expect(new Set([second, third, fourth, fifth].map(({ buffer }) => buffer)).size).toBe(4);
    for (const request of [third, fourth]) expect(Buffer.from(request)).toEqual(byOpenTelemetry([small]));
    for (const request of [second, fifth]) expect(Buffer.from(request)).toEqual(byOpenTelemetry([large]));
    encoder.recycle(third);
    encoder.recycle(fourth);
    expect(Buffer.from(encode(large))).toEqual(byOpenTelemetry([large]));
  });

  it('of nothing is empty', () => {
    expect(createProtobufEncoder(VERSION).empty).toHaveLength(0);
    expect(ProtobufLogsSerializer.serializeRequest([])).toHaveLength(0);
  });

  it.each([
    ['a fraction', '1.5'],
    ['a negative number', '-1'],
    ['a list', '[1]'],
    ['true', 'true'],
  ])('is not made of %s, which no event of ours holds', (_, value) => {
    const line = JSON.stringify(fullEvent('tcp_connect')).replace(/"pid":\d+/, `"pid":${value}`);
    const batch = batchOfTexts([line]);
    expect(() => createProtobufEncoder(VERSION).encode(batch, 0, 1, OBSERVED_MS)).toThrow(
      'the OTLP sink cannot read an event at',
    );
  });
});
