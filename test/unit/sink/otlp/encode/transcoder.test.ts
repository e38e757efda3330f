/** What the transcoder promises about its output and its input, beyond the bytes that protobuf.test.ts compares. */
import { describe, expect, test } from 'vitest';
import type { KtcEvent } from '../../../../../src/event/tcp-event.ts';
import { createProtobufEncoder } from '../../../../../src/sink/otlp/encode/encode.ts';
import { observedTime } from '../../../../../src/sink/otlp/encode/time-field.ts';
import { createTranscoder, roomFor } from '../../../../../src/sink/otlp/encode/transcoder.ts';
import { batchOfTexts } from '../../../../support/batch.ts';
import { fullEvent, fullEvents } from '../../../../support/sample-events.ts';

const OBSERVED = observedTime(1_795_489_200_007);

/** Bytes of the record that is made of an event, in a buffer with room for just what is asked for. */
function recordOf(event: KtcEvent, transcoder = createTranscoder()): Buffer {
  transcoder.setOrigin(event);
  const json = Buffer.from(`${JSON.stringify(event)}\n`);
  const room = roomFor(json.length - 1);
  const out = Buffer.alloc(10 + room);
  const end = transcoder.write(out, 10, json, 0, json.length - 1, OBSERVED);
  expect(end).toBeGreaterThan(10);
  expect(end).toBeLessThanOrEqual(10 + room);
  return out.subarray(10, end);
}

describe('a record', () => {
  test('needs no more room than is asked for, however many members of whatever size it has', () => {
    const members = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`${index}`, 1]));
    const events = [
      ...fullEvents,
      { ...fullEvent('tcp_connect'), ...members },
      { ...fullEvent('tcp_connect'), comm: 'x'.repeat(100_000) } as KtcEvent,
    ];
    const transcoder = createTranscoder();
    for (const event of events) expect(recordOf(event, transcoder)).toEqual(recordOf(event));
  });

  test('is the same wherever the event stands among others', () => {
    const event = fullEvent('tcp_retransmit');
    const text = JSON.stringify(event);
    const json = Buffer.from(`{"event":"other"}\n${text}\n{"event":"other"}\n`);
    const start = json.indexOf(text);
    const transcoder = createTranscoder();
    transcoder.setOrigin(event);
    const out = Buffer.alloc(roomFor(text.length * 2));
    const end = transcoder.write(out, 0, json, start, start + Buffer.byteLength(text), OBSERVED);
    expect(out.subarray(0, end)).toEqual(recordOf(event));
  });

  test('is not made of an event of another origin', () => {
    const event = fullEvent('tcp_retransmit');
    const transcoder = createTranscoder();
    transcoder.setOrigin({ ...event, kernel: '6.1.0' });
    const json = Buffer.from(JSON.stringify(event));
    expect(transcoder.write(Buffer.alloc(10_000), 0, json, 0, json.length, OBSERVED)).toBe(-1);
  });

  test('has the severity of its own event, not that of one before it', () => {
    const transcoder = createTranscoder();
    const reset = fullEvent('tcp_reset');
    const list = [
      fullEvent('tcp_retransmit'),
      { ...reset, state: 'ESTABLISHED' },
      { ...reset, state: null },
      { ...fullEvent('tcp_retransmit'), retransmit_kind: 'fast' },
      fullEvent('tcp_connect'),
    ] as KtcEvent[];
    for (const event of [...list, ...list]) expect(recordOf(event, transcoder)).toEqual(recordOf(event));
  });
});

describe('what is no event of ours', () => {
  const line = JSON.stringify(fullEvent('tcp_connect'));
  /** Encodes it behind an event of ours. */
  const encode = (text: string) => {
    const batch = batchOfTexts([line, text]);
    return createProtobufEncoder('1').encode(batch, 0, 2, 0);
  };

  test('is told with the place where it cannot be read, and no more than that', () => {
    const at = line.indexOf('"pid":') + '"pid":'.length;
    const broken = `${line.slice(0, at)}true${line.slice(at).replace(/^\d+/, '')}`;
    const found = Buffer.from(broken.slice(at)).toString('utf8', 0, 80);
    expect(() => encode(broken)).toThrow(
      new Error(`the OTLP sink cannot read an event at ${JSON.stringify(found)}`),
    );
  });

  test.each([
    ['white space behind a name', line.replace('"cpu":', '"cpu" :')],
    ['white space behind a value', line.replace(',"cpu"', ' ,"cpu"')],
    ['an object that does not end', line.replace(/\}$/, ']')],
    ['an object behind the first', `${line}${line}`],
  ])('such as %s, is a bug', (_, text) => {
    expect(() => encode(text)).toThrow('the OTLP sink cannot read an event at');
  });

  test('such as an origin that is written otherwise than ours, is a bug that names the event', () => {
    const event = fullEvent('tcp_connect');
    const text = line.replace('"host":"d', '"host":"\\u0064');
    expect(JSON.parse(text)).toEqual(event);
    expect(() => encode(text)).toThrow(`the origin of event ${event.event_id} cannot be read`);
  });
});

describe('the memory of requests', () => {
  test('that are given back is used for two requests at most', () => {
    const encoder = createProtobufEncoder('1');
    const batch = batchOfTexts([JSON.stringify(fullEvent('tcp_connect'))]);
    const encode = () => encoder.encode(batch, 0, 1, 0);
    const given = [encode(), encode(), encode()];
    for (const request of given) encoder.recycle(request);
    const buffers = new Set(given.map(({ buffer }) => buffer));
    const reused = [encode(), encode(), encode()].filter(({ buffer }) => buffers.has(buffer));
    expect(reused).toHaveLength(2);
  });
});
