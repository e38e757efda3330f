/** Records of whole connections, as the kernel traces them, and how to look at the events they make. */
import { parseRange, type Range } from '../../src/event/address.ts';
import { MILLISECOND, type NormalizerFixture, type RecordFields, type SeenEvent } from './record-builder.ts';

export const kinds = (events: readonly SeenEvent[]) => events.map(({ kind }) => kind);

export function only<T>(list: readonly T[]): T {
  const [first, ...more] = list;
  if (first === undefined || more.length > 0) throw new Error(`${list.length} events instead of one`);
  return first;
}

export function rangeOf(text: string): Range {
  const range = parseRange(text);
  if (range === null) throw new Error(`${text} is no range`);
  return range;
}

/** connect(2) up to ESTABLISHED, as the kernel traces it: the local port is chosen after SYN_SENT. */
export function connect(fixture: NormalizerFixture, fields: RecordFields = {}): SeenEvent[] {
  const time = fields.time ?? 0;
  return [
    ...fixture.change('CLOSE', 'SYN_SENT', { inTask: true, thread: 7, ...fields, time, localPort: 0 }),
    ...fixture.change('SYN_SENT', 'ESTABLISHED', { ...fields, time: time + 10 * MILLISECOND }),
  ];
}

/** The server's side, where the kernel clones the listener before it sets the peer (6.1; 6.18 tells it at once). */
export function accept(fixture: NormalizerFixture, fields: RecordFields = {}): SeenEvent[] {
  const time = fields.time ?? 0;
  const ends = { localPort: 443, remotePort: 50_000, ...fields };
  return [
    ...fixture.change('LISTEN', 'SYN_RECV', { ...ends, time, remotePort: 0, remote: '0.0.0.0' }),
    ...fixture.change('SYN_RECV', 'ESTABLISHED', { ...ends, time: time + MILLISECOND }),
  ];
}
