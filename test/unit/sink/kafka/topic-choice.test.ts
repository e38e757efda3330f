import { describe, expect, it } from 'vitest';
import { createTopicChoice } from '../../../../src/sink/kafka/topic-choice.ts';
import { batchOf, sampleEvents } from '../../../support/batch.ts';

const KINDS = ['tcp_life', 'tcp_state', 'tcp_reset'];

describe('the choice of topics', () => {
  it('is one for all events without a placeholder', () => {
    const choice = createTopicChoice('ktc-events');
    expect(choice.topicsOf(KINDS)).toEqual(['ktc-events']);
    const [group, ...more] = choice.groupByTopic(batchOf(sampleEvents(3)));
    expect(more).toEqual([]);
    expect({ ...group, indexes: [...(group?.indexes ?? [])] }).toEqual({
      topic: 'ktc-events',
      indexes: [0, 1, 2],
    });
    expect(choice.groupByTopic(batchOf([]))).toEqual([]);
  });

  it('is one for each kind with it, whatever the labels are called, and keeps the order in each', () => {
    const choice = createTopicChoice('ktc.{event}.v1');
    expect(choice.topicsOf(KINDS)).toEqual(['ktc.tcp_life.v1', 'ktc.tcp_state.v1', 'ktc.tcp_reset.v1']);
    const events = sampleEvents(7).map((event, index) => ({
      ...event,
      event: KINDS[index % 2],
      labels: { event: 'no' },
    }));
    const groups = choice.groupByTopic(batchOf(events));
    expect(groups.map(({ topic, indexes }) => [topic, [...indexes]])).toEqual([
      ['ktc.tcp_life.v1', [0, 2, 4, 6]],
      ['ktc.tcp_state.v1', [1, 3, 5]],
    ]);
  });
});
