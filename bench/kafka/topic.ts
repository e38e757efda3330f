/** A topic of a bench: how much is in it, and how late it came there. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeSync } from 'node:fs';
import kafkajs from 'kafkajs';
import type { Broker } from '../../test/support/kafka.ts';

/** Events in a topic, by the brokers' offsets. */
export async function topicSize(broker: Broker, topic: string): Promise<number> {
  const kafka = new kafkajs.Kafka({ brokers: [broker.address], logLevel: kafkajs.logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  try {
    const partitions = await admin.fetchTopicOffsets(topic);
    return partitions.reduce((sum, { offset }) => sum + Number(offset), 0);
  } finally {
    await admin.disconnect();
  }
}

export interface TopicContent {
  /** All that is in the topic. */
  readonly total: number;
  /** Of the events that were asked for. */
  readonly events: number;
  readonly bytes: number;
  /** From the kernel's timestamp to the broker's append, by whole milliseconds. */
  readonly latencies: readonly number[];
}

const TIMESTAMP = Buffer.from('"timestamp":"');
/** What Date.parse reads: milliseconds, the Z appended. */
const TIMESTAMP_LENGTH = '2026-11-24T00:00:00.000'.length;

const BRACE = '{'.charCodeAt(0);

/** When the kernel recorded it, milliseconds since 1970. */
function recordedAt(event: Buffer): number {
  const at = event.indexOf(TIMESTAMP) + TIMESTAMP.length;
  return Date.parse(`${event.toString('latin1', at, at + TIMESTAMP_LENGTH)}Z`);
}

/**
 * Reads a topic whose timestamps are append times with kcat, and writes to `path` the events that the kernel recorded at
 * `since` or later, milliseconds since 1970, one a line.
 */
export async function readTopic(
  broker: Broker,
  topic: string,
  path: string,
  since: number,
): Promise<TopicContent> {
  const args = ['-b', broker.address, '-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-f', '%T %s\\n'];
  const child = spawn('kcat', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = once(child, 'exit');
  const file = openSync(path, 'w');
  const latencies: number[] = [];
  let total = 0;
  let events = 0;
  let bytes = 0;
  let appendedAt = 0;
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    const text = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = text.indexOf(0x0a); end !== -1; end = text.indexOf(0x0a, start)) {
      // `<append time in ms> <event>`, and of a packed message only events after the first.
      if (text[start] !== BRACE) {
        const space = text.indexOf(0x20, start);
        appendedAt = Number(text.toString('latin1', start, space));
        start = space + 1;
      }
      const time = recordedAt(text.subarray(start, end));
      if (time >= since) {
        const latency = appendedAt - time;
        latencies[latency] = (latencies[latency] ?? 0) + 1;
        bytes += writeSync(file, text, start, end + 1 - start);
        events++;
      }
      total++;
      start = end + 1;
    }
    rest = text.subarray(start);
  }
  closeSync(file);
  const [code] = (await exit) as [number];
  if (code !== 0) throw new Error(`kcat ended with ${code} reading ${topic}`);
  return { total, events, bytes, latencies };
}

/** The value that a share of a histogram does not exceed. */
export function quantile(histogram: readonly number[], share: number): number {
  let left = histogram.reduce((sum, count) => sum + count, 0) * share;
  return histogram.findIndex((count) => {
    left -= count ?? 0;
    return left <= 0;
  });
}
