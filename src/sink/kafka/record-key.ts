/** Kafka record keys, cut out of the events' bytes without parsing them. */

export type RecordKey = 'host' | 'connection_id' | 'event_id';

/** The key of the event at `bytes[start .. end)`. */
export type KeyOf = (bytes: Buffer, start: number, end: number) => Buffer;

/**
 * `host` is one constant for all events. The two others are fields of each event; their values have no
 * escapes. An event that belongs to no single connection, such as a `host_status`, has its `event_id` as key: compaction refuses records without a key.
 * Labels are a nested object after `event_id` and before `connection_id` and may use the same names,
 * so the first `event_id` and the last `connection_id` are those of the event.
 */
export function createKeyOf(key: RecordKey, host: string): KeyOf {
  switch (key) {
    case 'host': {
      const constant = Buffer.from(host);
      return () => constant;
    }
    case 'event_id':
      return eventId;
    case 'connection_id':
      return connectionId;
  }
}

const QUOTE = 0x22;
const EVENT_ID = Buffer.from('"event_id":');
const CONNECTION_ID = Buffer.from('"connection_id":');
const EVENT = Buffer.from('"event":');
/** The only kind without a connection. */
const HOST_STATUS = Buffer.from('"host_status"');

function eventId(bytes: Buffer, start: number, end: number): Buffer {
  return cutMember(bytes, bytes.indexOf(EVENT_ID, start), EVENT_ID, start, end);
}

function connectionId(bytes: Buffer, start: number, end: number): Buffer {
  if (isHostStatus(bytes, start, end)) return eventId(bytes, start, end);
  const found = bytes.lastIndexOf(CONNECTION_ID, end - CONNECTION_ID.length);
  const isNull = found >= start && bytes[found + CONNECTION_ID.length] !== QUOTE;
  return isNull ? eventId(bytes, start, end) : cutMember(bytes, found, CONNECTION_ID, start, end);
}

function isHostStatus(bytes: Buffer, start: number, end: number): boolean {
  const name = bytes.indexOf(EVENT, start);
  if (name < start || name >= end) return false;
  const kind = name + EVENT.length;
  return bytes.subarray(kind, kind + HOST_STATUS.length).equals(HOST_STATUS);
}

/** The text between the quotes that follow `name`, found at `found` in the event at `bytes[start .. end)`. */
export function cutMember(bytes: Buffer, found: number, name: Buffer, start: number, end: number): Buffer {
  const from = found + name.length + 1;
  const to = bytes.indexOf(QUOTE, from);
  if (found < start || to === -1 || to >= end) {
    throw new Error(`an event without ${name} reached the Kafka sink: ${bytes.toString('utf8', start, end)}`);
  }
  return bytes.subarray(from, to);
}
