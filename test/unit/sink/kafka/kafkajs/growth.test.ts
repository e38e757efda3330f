import { randomBytes } from 'node:crypto';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import { expect, test } from 'vitest';
import '../../../../../src/sink/kafka/kafkajs/growth.ts';

test('a request holds what was written, and no more memory than it needs', () => {
  const frame = randomBytes(70_000);
  const encoder = new Encoder().writeInt16(-1).writeString('topic').writeInt32(7).writeBuffer(frame);
  const head = Buffer.from('ffff0005746f70696300000007', 'hex');
  expect(encoder.buffer.equals(Buffer.concat([head, frame]))).toBe(true);
  expect(encoder.buf).toHaveLength(head.length + frame.length);
});

test('many small values make few buffers', () => {
  const encoder = new Encoder();
  const buffers = new Set<Buffer>();
  for (let value = 0; value < 10_000; value++) buffers.add(encoder.writeInt32(value).buf);
  expect(buffers.size).toBeLessThan(10);
  const { buffer } = encoder;
  expect(Array.from({ length: 10_000 }, (_, value) => buffer.readInt32BE(4 * value))).toEqual([
    ...Array(10_000).keys(),
  ]);
});
