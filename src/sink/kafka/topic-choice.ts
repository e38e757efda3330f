/** Chooses the topic of an event: the same for all events, or one per kind of event. */
import type { Batch } from '../batch.ts';
import { cutMember } from './record-key.ts';

export interface TopicGroup {
  readonly topic: string;
  /** Positions in the batch, in ascending order. */
  readonly indexes: Uint32Array;
}

export interface TopicChoice {
  /** The topics of these kinds of event, each once. */
  topicsOf(kinds: readonly string[]): string[];
  /** Groups the events of a batch by topic, and keeps their order within a topic. */
  groupByTopic(batch: Batch): TopicGroup[];
}

/** Stands for the kind of the event. */
const PLACEHOLDER = '{event}';
/** The first one is the event's own: labels, which may use the same name, come later. */
const EVENT = Buffer.from('"event":');

export function createTopicChoice(pattern: string): TopicChoice {
  if (!pattern.includes(PLACEHOLDER)) {
    return {
      topicsOf: () => [pattern],
      groupByTopic: ({ count }) => (count === 0 ? [] : [{ topic: pattern, indexes: range(count) }]),
    };
  }
  const topicOf = (kind: string) => pattern.replace(PLACEHOLDER, kind);
  return {
    topicsOf: (kinds) => kinds.map(topicOf),
    groupByTopic({ bytes, offsets, count }) {
      const byKind = new Map<string, number[]>();
      for (let index = 0; index < count; index++) {
        const start = offsets[index] ?? 0;
        const end = (offsets[index + 1] ?? 0) - 1;
        const kind = cutMember(bytes, bytes.indexOf(EVENT, start), EVENT, start, end).toString('latin1');
        const indexes = byKind.get(kind);
        if (indexes === undefined) byKind.set(kind, [index]);
        else indexes.push(index);
      }
      return [...byKind].map(([kind, indexes]) => ({
        topic: topicOf(kind),
        indexes: Uint32Array.from(indexes),
      }));
    },
  };
}

let numbers = new Uint32Array(0);

/** The numbers from 0 to `count` - 1, as a part of one array for all calls. */
function range(count: number): Uint32Array {
  if (count > numbers.length) numbers = Uint32Array.from({ length: 2 * count }, (_, index) => index);
  return numbers.subarray(0, count);
}
