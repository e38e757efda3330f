/** What an independent consumer has found of the agent's events: which, how often, and whether always the same. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';

export interface Account {
  /** Events found, each time one was found. */
  readonly events: number;
  /** Different events, by `event_id`. */
  readonly unique: number;
  /** Events found more than once. */
  readonly doubled: number;
  /** Ids of events that were found again with other bytes: there must be none. */
  readonly changed: readonly string[];
  /** The agent numbers the events of each run and CPU from 0 without a hole: how many are missing before the last. */
  readonly missing: number;
  has(id: string): boolean;
}

export interface OpenAccount extends Account {
  add(id: string, content: string | Buffer): void;
}

/** Holds a number an event, so that millions fit: an id is a stream and, behind its last dash, a number. */
export function openAccount(): OpenAccount {
  const prints = new Map<string, number[]>();
  const changed = new Set<string>();
  let events = 0;
  let unique = 0;
  const place = (id: string) => {
    const dash = id.lastIndexOf('-');
    return { stream: id.slice(0, dash), ordinal: Number(id.slice(dash + 1)) };
  };
  return {
    add(id, content) {
      const { stream, ordinal } = place(id);
      let found = prints.get(stream);
      if (found === undefined) {
        found = [];
        // A copy: a slice would keep the whole text that the id was found in.
        prints.set(Buffer.from(stream).toString(), found);
      }
      const print = crc32(content);
      if (found[ordinal] === undefined) unique++;
      else if (found[ordinal] !== print) changed.add(id);
      found[ordinal] = print;
      events++;
    },
    has(id) {
      const { stream, ordinal } = place(id);
      return prints.get(stream)?.[ordinal] !== undefined;
    },
    get events() {
      return events;
    },
    get unique() {
      return unique;
    },
    get doubled() {
      return events - unique;
    },
    get changed() {
      return [...changed];
    },
    get missing() {
      return [...prints.values()].reduce((sum, { length }) => sum + length, 0) - unique;
    },
  };
}

const EVENT_ID = '"event_id":"';

/** Adds the events of a stream of NDJSON. */
export async function addLines(account: OpenAccount, stream: Readable): Promise<void> {
  for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
    const start = line.indexOf(EVENT_ID) + EVENT_ID.length;
    if (start < EVENT_ID.length) throw new Error(`no event: ${line.slice(0, 200)}`);
    account.add(line.slice(start, line.indexOf('"', start)), line);
  }
}

/** Of a file that a sink has written. */
export async function accountOfFile(path: string): Promise<Account> {
  const account = openAccount();
  await addLines(account, createReadStream(path));
  return account;
}
