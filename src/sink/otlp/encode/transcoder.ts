/**
 * The LogRecord of an event straight from its JSON to protobuf, without an object or a string for each event. It reads
 * what src/event/serializer.ts writes: members without white space, whose values are strings, whole numbers ≥ 0, null,
 * and one object of labels. What is none of these is a bug, and is thrown.
 */
import { attributeName, NETWORK_TYPES, ORIGIN_FIELDS, type OriginFields, TRANSPORT } from './attributes.ts';
import { type Severity, severityOf } from './severity.ts';
import {
  attribute,
  integerField,
  RECORD_ATTRIBUTES,
  type SplitTime,
  splitSeconds,
  tag,
  textField,
  WIRE,
  writeIntegerAttribute,
  writeTextAttribute,
  writeTime,
  writeVarint,
} from './wire.ts';

export interface Transcoder {
  /**
   * Writes the record of the event at `bytes[start .. end)`, as a field of ScopeLogs, and gives the offset behind it.
   * -1 where the event comes from another origin than the one that was set. `out` needs `roomFor(end - start)` bytes;
   * `observed` is the field of the observed time.
   */
  write(out: Buffer, at: number, bytes: Buffer, start: number, end: number, observed: Buffer): number;
  /** What all events to come have in common, as long as `write` does not say otherwise. */
  setOrigin(fields: OriginFields): void;
}

/** A record is larger than its JSON by some bytes a member, and a member has 6 at least. */
export function roomFor(length: number): number {
  return 256 + 3 * length;
}

/** Fields of LogRecord and ScopeLogs, opentelemetry/proto/logs/v1/logs.proto. */
const RECORD_TAG = tag(2, WIRE.bytes);
const TIME_TAG = tag(1, WIRE.fixed64);
const TIME_LENGTH = 9;
const DROPPED_ATTRIBUTES = integerField(7, 0);
const OBSERVED_TIME_TAG = tag(11, WIRE.fixed64);
const EVENT_NAME = 12;

/** The field of the observed time for `write`, from milliseconds since 1970. */
export function observedTime(milliseconds: number): Buffer {
  const field = Buffer.alloc(TIME_LENGTH);
  const seconds = Math.floor(milliseconds / 1000);
  field[0] = OBSERVED_TIME_TAG;
  writeTime(field, 1, splitSeconds(seconds), (milliseconds - seconds * 1000) * 1e6);
  return field;
}

const TRANSPORT_ATTRIBUTE = attribute(RECORD_ATTRIBUTES, TRANSPORT.name, TRANSPORT.value);
const [TYPE_OF_4, TYPE_OF_6] = (['4', '6'] as const).map((version) =>
  attribute(RECORD_ATTRIBUTES, attributeName('ip_version') ?? '', NETWORK_TYPES[version] ?? ''),
) as [Buffer, Buffer];

/** One member of the JSON, and what to do with its value. */
interface Member {
  readonly use: 'attribute' | 'origin' | 'timestamp' | 'event' | 'ip_version';
  /** `"name":` */
  readonly key: Buffer;
  /** The attribute's name as a field of KeyValue. */
  readonly name: Buffer;
  /** The value of all events, for what is the origin's; the last value else, for what decides on the severity. */
  json: Buffer;
  text: string;
  /** The member that came behind it the last time: mostly the same, as the order is fixed. */
  next: Member | null;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const CLOSING_BRACE = 0x7d;
const ZERO = 0x30;
const LETTER_N = 0x6e;
const NULL_LENGTH = 4;
const FOUR = 0x34;
const NOTHING = Buffer.alloc(0);
/** `2026-11-24T00:00:00` */
const SECOND_LENGTH = 19;
const FRACTION_LENGTH = 9;

export function createTranscoder(): Transcoder {
  const members = new Map<string, Member>();
  const opening = createMember('');
  const event = memberOf('event');
  const retransmitKind = memberOf('retransmit_kind');
  const state = memberOf('state');
  const heads = new Map<Severity, Buffer>();
  const eventNames = new Map<string, Buffer>();
  let attributes = Buffer.alloc(roomFor(2048));
  let secondJson = NOTHING;
  let second: SplitTime = { low: 0, high: 0 };

  function memberOf(name: string): Member {
    let member = members.get(name);
    if (member === undefined) {
      member = createMember(name);
      members.set(name, member);
    }
    return member;
  }

  function memberAt(bytes: Buffer, at: number, previous: Member): Member {
    const expected = previous.next;
    if (expected !== null && matches(bytes, at, expected.key)) return expected;
    const nameEnd = bytes.indexOf(QUOTE, at + 1);
    const member = memberOf(bytes.toString('utf8', at + 1, nameEnd));
    if (!matches(bytes, at, member.key)) throw unreadable(bytes, at);
    previous.next = member;
    return member;
  }

  /** The text at `bytes[from .. to)`, made once as long as it stays the same. */
  function textOf(member: Member, bytes: Buffer, from: number, to: number): string {
    if (member.json.length !== to - from || !matches(bytes, from, member.json)) {
      member.json = Buffer.from(bytes.subarray(from, to));
      member.text = member.json.toString('utf8');
    }
    return member.text;
  }

  function writeTimestamp(out: Buffer, at: number, bytes: Buffer, from: number): void {
    if (!matches(bytes, from, secondJson) || secondJson === NOTHING) {
      secondJson = Buffer.from(bytes.subarray(from, from + SECOND_LENGTH));
      second = splitSeconds(Date.parse(`${secondJson.toString('latin1')}Z`) / 1000);
    }
    let nanoseconds = 0;
    const fraction = from + SECOND_LENGTH + 1;
    for (let index = fraction; index < fraction + FRACTION_LENGTH; index++)
      nanoseconds = nanoseconds * 10 + (bytes[index] as number) - ZERO;
    writeTime(out, at, second, nanoseconds);
  }

  const time = Buffer.alloc(TIME_LENGTH);
  time[0] = TIME_TAG;
  let attributesEnd = 0;
  let hasRetransmitKind = false;
  let hasState = false;

  /** Takes the value at `from`, and gives the offset behind it; -1 for another origin. */
  function takeValue(member: Member, bytes: Buffer, from: number): number {
    switch (member.use) {
      case 'origin':
        return matches(bytes, from, member.json) ? from + member.json.length : -1;
      case 'timestamp':
        writeTimestamp(time, 1, bytes, from + 1);
        return stringEnd(bytes, from + 1) + 1;
      case 'event': {
        const end = stringEnd(bytes, from + 1);
        textOf(member, bytes, from + 1, end);
        return end + 1;
      }
      case 'ip_version':
        if (bytes[from] === LETTER_N) return from + NULL_LENGTH;
        attributesEnd += (bytes[from] === FOUR ? TYPE_OF_4 : TYPE_OF_6).copy(attributes, attributesEnd);
        return from + 1;
      case 'attribute':
        return takeAttribute(member, bytes, from);
    }
  }

  function takeAttribute(member: Member, bytes: Buffer, from: number): number {
    const start = bytes[from] as number;
    if (start === LETTER_N) return from + NULL_LENGTH;
    if (start !== QUOTE) {
      let value = 0;
      let end = from;
      for (let digit = start - ZERO; digit >= 0 && digit <= 9; digit = (bytes[++end] as number) - ZERO)
        value = value * 10 + digit;
      if (end === from) throw unreadable(bytes, from);
      attributesEnd = writeIntegerAttribute(attributes, attributesEnd, member.name, value);
      return end;
    }
    const end = stringEnd(bytes, from + 1);
    if (end < 0) {
      // A backslash: rare, as only a process's name can hold one.
      const behind = escapedStringEnd(bytes, from + 1) + 1;
      const text = Buffer.from(JSON.parse(bytes.toString('utf8', from, behind)) as string);
      attributesEnd = writeTextAttribute(attributes, attributesEnd, member.name, text, 0, text.length);
      return behind;
    }
    if (member === retransmitKind) {
      textOf(member, bytes, from + 1, end);
      hasRetransmitKind = true;
    } else if (member === state) {
      textOf(member, bytes, from + 1, end);
      hasState = true;
    }
    attributesEnd = writeTextAttribute(attributes, attributesEnd, member.name, bytes, from + 1, end);
    return end + 1;
  }

  /** Severity as LogRecord's fields 2 and 3. */
  function severityFields(): Buffer {
    const severity = severityOf({
      event: event.text,
      retransmit_kind: hasRetransmitKind ? retransmitKind.text : undefined,
      state: hasState ? state.text : null,
    });
    let fields = heads.get(severity);
    if (fields === undefined) {
      fields = Buffer.concat([integerField(2, severity.number), textField(3, severity.text)]);
      heads.set(severity, fields);
    }
    return fields;
  }

  function eventNameField(): Buffer {
    let field = eventNames.get(event.text);
    if (field === undefined) {
      field = textField(EVENT_NAME, `ktc.${event.text}`);
      eventNames.set(event.text, field);
    }
    return field;
  }

  /** The fields in the order of OpenTelemetry's serializer. */
  function writeRecord(out: Buffer, at: number, observed: Buffer): number {
    const severity = severityFields();
    const name = eventNameField();
    const length =
      TIME_LENGTH +
      severity.length +
      attributesEnd +
      DROPPED_ATTRIBUTES.length +
      observed.length +
      name.length;
    out[at] = RECORD_TAG;
    let end = writeVarint(out, at + 1, length);
    end += time.copy(out, end);
    end += severity.copy(out, end);
    end += attributes.copy(out, end, 0, attributesEnd);
    end += DROPPED_ATTRIBUTES.copy(out, end);
    end += observed.copy(out, end);
    return end + name.copy(out, end);
  }

  return {
    write(out, at, bytes, start, end, observed) {
      if (attributes.length < roomFor(end - start)) attributes = Buffer.alloc(roomFor(end - start));
      attributesEnd = TRANSPORT_ATTRIBUTE.copy(attributes, 0);
      hasRetransmitKind = false;
      hasState = false;
      let member = opening;
      for (let next = start + 1; ; ) {
        member = memberAt(bytes, next, member);
        next = takeValue(member, bytes, next + member.key.length);
        if (next < 0) return -1;
        if (bytes[next] === CLOSING_BRACE && next + 1 === end) return writeRecord(out, at, observed);
        if (bytes[next] !== COMMA) {
          if (member.use === 'origin') return -1;
          throw unreadable(bytes, next);
        }
        next++;
      }
    },
    setOrigin(fields) {
      for (const field of ORIGIN_FIELDS) memberOf(field).json = Buffer.from(JSON.stringify(fields[field]));
    },
  };
}

function createMember(name: string): Member {
  const attributeOf = attributeName(name);
  const use =
    name === 'timestamp' || name === 'event' || name === 'ip_version'
      ? name
      : attributeOf === null
        ? 'origin'
        : 'attribute';
  return {
    use,
    key: Buffer.from(`${JSON.stringify(name)}:`),
    name: textField(1, attributeOf ?? ''),
    json: NOTHING,
    text: '',
    next: null,
  };
}

function matches(bytes: Buffer, at: number, expected: Buffer): boolean {
  for (let index = 0; index < expected.length; index++) {
    if (bytes[at + index] !== expected[index]) return false;
  }
  return true;
}

/** The closing quote of the string that begins at `from`; negative when an escape comes before it. */
function stringEnd(bytes: Buffer, from: number): number {
  for (let at = from; at < bytes.length; at++) {
    if (bytes[at] === QUOTE) return at;
    if (bytes[at] === BACKSLASH) return -1;
  }
  throw unreadable(bytes, from);
}

function escapedStringEnd(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}

function unreadable(bytes: Buffer, at: number): Error {
  return new Error(
    `the OTLP sink cannot read an event at ${JSON.stringify(bytes.toString('utf8', at, at + 80))}`,
  );
}
