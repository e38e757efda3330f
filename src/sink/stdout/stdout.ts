/** Events on a stream such as standard output: NDJSON for programs, a table for people. */
import type { Writable } from 'node:stream';
import type { TcpEvent } from '../../event/tcp-event.ts';
import { DONE } from '../../shared/result.ts';
import { type Batch, rangeOf } from '../batch.ts';
import { ACKNOWLEDGED, type SendResult, type Sink } from '../sink.ts';
import { createTable } from './event-table.ts';

export interface StdoutSinkOptions {
  readonly format: 'ndjson' | 'table';
  /** `isTTY` as on process.stdout: only a terminal gets colours. */
  readonly stream: Writable & { readonly isTTY?: boolean };
  /**
   * Called once when the stream takes no more, with one line why. The usual reader of a pipe has ended
   * (`ktc run | head`), so the agent should end too, quietly.
   */
  readonly onClosed?: (reason: string) => void;
}

/**
 * Acknowledged means that the stream has handed the bytes to the kernel; a slow reader holds `send` back. A
 * stream that failed once stays failed: all later events are refused as `stdout_closed`.
 */
export function createStdoutSink({ format, stream, onClosed }: StdoutSinkOptions): Sink {
  const table = createTable({ color: stream.isTTY === true && !process.env['NO_COLOR'] });
  let closed = false;
  let headerShown = false;

  const onError = (error: Error & { code?: string }) => {
    if (closed) return;
    closed = true;
    onClosed?.(
      error.code === 'EPIPE'
        ? 'standard output was closed by its reader'
        : `standard output: ${error.message}`,
    );
  };

  /** Also true after a failure that only the 'error' event reports, as for a file on a full disk. */
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
    // The listener stays: an error of bytes still under way must not end the process. The stream is not ours to end.
    close: () => Promise.resolve(),
  };
}

function eventsOf({ bytes, offsets, count }: Batch): TcpEvent[] {
  return Array.from(
    { length: count },
    (_, index) => JSON.parse(bytes.toString('utf8', offsets[index], offsets[index + 1])) as TcpEvent,
  );
}
