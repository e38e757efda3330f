/** Writes events to a stream such as standard output: NDJSON for programs, a table for people. */
import type { Writable } from 'node:stream';
import type { KtcEvent } from '../../event/tcp-event.ts';
import { hasErrorCode } from '../../shared/errors.ts';
import { DONE } from '../../shared/result.ts';
import { type Batch, rangeOf } from '../batch.ts';
import { ACKNOWLEDGED, type SendResult, type Sink } from '../sink.ts';
import { createTable } from './event-table.ts';

export interface StdoutSinkOptions {
  readonly format: 'ndjson' | 'table';
  /** `isTTY` as on process.stdout: only a terminal gets colours. */
  readonly stream: Writable & { readonly isTTY?: boolean };
  /**
   * Called once, with the reason in one line, when the stream takes no more. Usually the reader of a pipe has ended
   * (`ktc run | head`), so the agent should end too, without an error.
   */
  readonly onClosed?: (reason: string) => void;
}

/**
 * Acknowledged means that the stream has given the bytes to the kernel; while the reader is slow, `send` waits. After
 * its first failure a stream is not used again: all later events are refused as `stdout_closed`.
 */
export function createStdoutSink({ format, stream, onClosed }: StdoutSinkOptions): Sink {
  const table = createTable({ color: stream.isTTY === true && !process.env['NO_COLOR'] });
  let closed = false;
  let headerShown = false;

  const onError = (error: Error) => {
    if (closed) return;
    closed = true;
    onClosed?.(
      hasErrorCode(error, 'EPIPE')
        ? 'standard output was closed by its reader'
        : `standard output: ${error.message}`,
    );
  };

  /** Gives whether the stream works. Some failures, such as a full disk, are only reported by the 'error' event. */
  const write = (data: Buffer | string): Promise<boolean> =>
    new Promise((resolve) => {
      stream.write(data, (error) => {
        if (error) onError(error);
        resolve(!closed);
      });
    });

  const render = (batch: Batch): Buffer | string =>
    format === 'ndjson'
      ? batch.bytes
      : eventsOf(batch)
          .map((event) => `${table.row(event)}\n`)
          .join('');

  return {
    name: 'stdout',
    async open() {
      if (!stream.listeners('error').includes(onError)) stream.on('error', onError);
      if (format === 'table' && !headerShown) {
        headerShown = true;
        await write(`${table.header}\n`);
      }
      return DONE;
    },
    async send(batch): Promise<SendResult> {
      if (!closed && (await write(render(batch)))) return ACKNOWLEDGED;
      const refused = rangeOf(0, batch.count).map((index) => ({ index, reason: 'stdout_closed' as const }));
      return { refused, retry: null };
    },
    // The listener stays, because an error of bytes under way must not end the process. The stream itself stays open:
    // it belongs to the process.
    close: () => Promise.resolve(),
  };
}

function eventsOf({ bytes, offsets, count }: Batch): KtcEvent[] {
  return Array.from(
    { length: count },
    (_, index) => JSON.parse(bytes.toString('utf8', offsets[index], offsets[index + 1])) as KtcEvent,
  );
}
