/** What stands in the file of the file sink, read by nobody of the agent. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { TcpEvent } from '../../../src/event/tcp-event.ts';
import { type Account, openAccount } from '../../support/event-account.ts';

/** Events of which each stands for one kernel record; the others follow from one. */
const OWN_RECORD: ReadonlySet<string> = new Set(['tcp_state', 'tcp_retransmit', 'tcp_reset']);

export interface Found {
  readonly all: Account;
  /** Those that stand for a kernel record of their own. */
  readonly records: Account;
  /** Lines that a kill in the middle of a write has left unfinished. */
  readonly torn: number;
}

export async function findEvents(
  path: string,
  look: (event: TcpEvent) => void = () => undefined,
): Promise<Found> {
  const all = openAccount();
  const records = openAccount();
  let torn = 0;
  for await (const line of createInterface({ input: createReadStream(path) })) {
    const event = parse(line);
    if (event === null) {
      torn++;
      continue;
    }
    look(event);
    all.add(event.event_id, line);
    if (OWN_RECORD.has(event.event)) records.add(event.event_id, line);
  }
  return { all, records, torn };
}

function parse(line: string): TcpEvent | null {
  try {
    return JSON.parse(line) as TcpEvent;
  } catch {
    return null;
  }
}
