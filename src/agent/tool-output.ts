/** The standard output of a tool: how much of it waits for its reader, and whether there is a reader at all. */
import type { Writable } from 'node:stream';
import { hasErrorCode } from '../shared/errors.ts';
import { watchReader } from './pipe-reader.ts';

/** With its descriptor, when it is a pipe, the end of its reader is noticed without a write. */
export type ToolStream = Writable & { readonly fd?: number };

export interface ToolOutput {
  write(text: string): void;
  /** Whether the reader takes what is written: otherwise the records wait in the kernel. */
  readonly hasRoom: boolean;
  /** Resolves when the stream has taken everything that was written, or never will. */
  flushed(): Promise<void>;
  close(): void;
}

/** The most bytes that are written and not yet taken by the reader. */
const MAX_PENDING_BYTES = 1 << 20;

export interface OutputEvents {
  /** The reader has gone, or the output cannot be written. */
  readonly onClosed: () => void;
  /** Why the output cannot be written, in one line; not called for a pipe whose reader has all that it wanted. */
  readonly onProblem: (problem: string) => void;
}

export function openOutput(stream: ToolStream, { onClosed, onProblem }: OutputEvents): ToolOutput {
  let isClosed = false;
  const end = (): void => {
    isClosed = true;
    onClosed();
  };
  stream.on('error', (error: Error) => {
    if (!hasErrorCode(error, 'EPIPE')) onProblem(`standard output: ${error.message}`);
    end();
  });
  const unwatch = stream.fd === undefined ? () => {} : watchReader(stream.fd, end);
  return {
    write(text) {
      if (text !== '' && !isClosed) stream.write(text);
    },
    get hasRoom() {
      return stream.writableLength < MAX_PENDING_BYTES;
    },
    flushed: () =>
      new Promise((resolve) => {
        stream.write('', () => resolve());
      }),
    close: unwatch,
  };
}
