/** Cuts chunks of text into lines. */
import { StringDecoder } from 'node:string_decoder';

export interface LineCutter {
  take(chunk: Buffer): void;
  /** Gives the last line, if it has no end. */
  end(): void;
}

/** A line without an end that is longer is no event; it is given in pieces of this length, which are no events either. */
const MAX_LINE = 4 * 1024 * 1024;

/** Calls for each line that is not empty. */
export function createLineCutter(take: (line: string) => void): LineCutter {
  const decoder = new StringDecoder('utf8');
  let rest = '';

  function give(line: string): void {
    if (line !== '' && line !== '\r') take(line);
  }

  return {
    take(chunk) {
      const text = rest + decoder.write(chunk);
      let from = 0;
      for (let to = text.indexOf('\n'); to >= 0; to = text.indexOf('\n', from)) {
        give(text.slice(from, to));
        from = to + 1;
      }
      rest = text.slice(from);
      if (rest.length < MAX_LINE) return;
      give(rest);
      rest = '';
    },
    end() {
      give(rest + decoder.end());
      rest = '';
    },
  };
}
