/** A destination that does as it is told, and checks what the interface of the sinks promises. */
import { expect } from 'vitest';
import { DONE } from '../../../src/shared/result.ts';
import { type Batch, eventAt, type NewBatch } from '../../../src/sink/batch.ts';
import { notReady, type SendResult, type Sink } from '../../../src/sink/sink.ts';

/** Why the destination is not ready. */
export interface OpenProblem {
  readonly problem: string;
  readonly mayPass: boolean;
}

/** One call of `send` that waits for its answer. */
export interface Sending {
  readonly batch: Batch;
  /** The events of the batch, as text. */
  readonly texts: readonly string[];
  answer(result: SendResult): Promise<void>;
}

export interface ScriptedSink extends Sink {
  readonly sending: Sending[];
  readonly opening: ((problem: OpenProblem | null) => Promise<void>)[];
  readonly sent: (readonly string[])[];
  readonly closed: number;
}

/** The events of a batch, as text. */
export function textsOf(batch: NewBatch): string[] {
  return Array.from({ length: batch.count }, (_, index) => eventAt(batch, index).toString());
}

/** All that is due in promises; no time passes. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

export function createScriptedSink(): ScriptedSink {
  const sending: Sending[] = [];
  const opening: ((problem: OpenProblem | null) => Promise<void>)[] = [];
  const sent: string[][] = [];
  let isOpen = false;
  let closed = 0;
  return {
    name: 'scripted',
    sockets: () => [],
    sending,
    opening,
    sent,
    get closed() {
      return closed;
    },
    open: () =>
      new Promise((resolve) => {
        opening.push((problem) => {
          isOpen = problem === null;
          resolve(problem === null ? DONE : notReady(problem.problem, problem.mayPass));
          return settle();
        });
      }),
    send(batch) {
      const texts = textsOf(batch);
      sent.push(texts);
      // The contract of the interface: never before it is open, never after it is closed, and what it says.
      expect(isOpen).toBe(true);
      expect(closed).toBe(0);
      expect(batch.count).toBeGreaterThan(0);
      expect(batch.offsets).toHaveLength(batch.count + 1);
      expect([batch.offsets[0], batch.offsets[batch.count]]).toEqual([0, batch.bytes.length]);
      expect(batch.bytes.toString('utf8')).toBe(texts.map((text) => `${text}\n`).join(''));
      return new Promise((resolve) => {
        const one: Sending = {
          batch,
          texts,
          answer(result) {
            sending.splice(sending.indexOf(one), 1);
            resolve(result);
            return settle();
          },
        };
        sending.push(one);
      });
    },
    async close() {
      closed++;
    },
  };
}
