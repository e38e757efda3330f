/**
 * The LogRecord of an event straight from its JSON to protobuf, without an object or a string for each event. It reads
 * what src/event/serializer.ts writes: members without white space, whose values are strings, whole numbers ≥ 0, null,
 * one object of labels, and the lists and objects of a host_status. What is none of these is a bug, and is thrown.
 */
import { hasTransport, ORIGIN_FIELDS, type OriginFields, TRANSPORT } from './attributes.ts';
import { readContainer } from './container.ts';
import { createMembers, type Member, textOf } from './members.ts';
import { CHARACTER, escapedStringEnd, matches, NULL_LENGTH, stringEnd, unreadable } from './scan.ts';
import { type Impact, type Severity, severityOf } from './severity.ts';
import { createTimeField } from './time-field.ts';
import {
  attribute,
  integerField,
  RECORD_ATTRIBUTES,
  tag,
  textField,
  WIRE,
  writeIntegerAttribute,
  writeMessageAttribute,
  writeTextAttribute,
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
const DROPPED_ATTRIBUTES = integerField(7, 0);
const EVENT_NAME = 12;

const TRANSPORT_ATTRIBUTE = attribute(RECORD_ATTRIBUTES, TRANSPORT.name, TRANSPORT.value);

/** The attributes of the record at hand, and what decides on its severity. */
interface Draft {
  bytes: Buffer;
  end: number;
  readonly impact: { -readonly [Name in keyof Impact]: Impact[Name] };
}

export function createTranscoder(): Transcoder {
  const members = createMembers();
  const time = createTimeField();
  const severityFields = createSeverityFields();
  const eventNames = createEventNames();
  const draft: Draft = { bytes: Buffer.alloc(roomFor(2048)), end: 0, impact: { event: '' } };

  function begin(length: number): void {
    if (draft.bytes.length < roomFor(length)) draft.bytes = Buffer.alloc(roomFor(length));
    draft.end = TRANSPORT_ATTRIBUTE.copy(draft.bytes, 0);
    draft.impact.retransmit_kind = undefined;
    draft.impact.state = null;
  }

  /** Takes the value at `from`, and gives the offset behind it; -1 for another origin. */
  function takeValue(member: Member, bytes: Buffer, from: number): number {
    switch (member.use) {
      case 'origin':
        return matches(bytes, from, member.json) ? from + member.json.length : -1;
      case 'timestamp':
        time.set(bytes, from + 1);
        return stringEnd(bytes, from + 1) + 1;
      case 'event': {
        const end = stringEnd(bytes, from + 1);
        draft.impact.event = textOf(member, bytes, from + 1, end);
        return end + 1;
      }
      case 'words':
        return takeWord(draft, member, bytes, from);
      case 'attribute':
        return takeAttribute(draft, member, bytes, from);
    }
  }

  /** The fields in the order of OpenTelemetry's serializer. */
  function writeRecord(out: Buffer, at: number, observed: Buffer): number {
    const severity = severityFields(draft.impact);
    const name = eventNames(draft.impact.event);
    const attributes = hasTransport(draft.impact.event) ? 0 : TRANSPORT_ATTRIBUTE.length;
    const length =
      time.field.length +
      severity.length +
      (draft.end - attributes) +
      DROPPED_ATTRIBUTES.length +
      observed.length +
      name.length;
    out[at] = RECORD_TAG;
    let end = writeVarint(out, at + 1, length);
    end += time.field.copy(out, end);
    end += severity.copy(out, end);
    end += draft.bytes.copy(out, end, attributes, draft.end);
    end += DROPPED_ATTRIBUTES.copy(out, end);
    end += observed.copy(out, end);
    return end + name.copy(out, end);
  }

  return {
    write(out, at, bytes, start, end, observed) {
      begin(end - start);
      let member = members.opening;
      for (let next = start + 1; ; next++) {
        member = members.at(bytes, next, member);
        next = takeValue(member, bytes, next + member.key.length);
        if (next < 0) return -1;
        if (bytes[next] === CHARACTER.closingBrace && next + 1 === end) return writeRecord(out, at, observed);
        if (bytes[next] !== CHARACTER.comma) {
          if (member.use === 'origin') return -1;
          throw unreadable(bytes, next);
        }
      }
    },
    setOrigin(fields) {
      for (const field of ORIGIN_FIELDS) members.of(field).json = Buffer.from(JSON.stringify(fields[field]));
    },
  };
}

/** Adds the attribute of the member whose value is at `from`; gives the offset behind it. */
function takeAttribute(draft: Draft, member: Member, bytes: Buffer, from: number): number {
  const start = bytes[from];
  if (start === CHARACTER.n) return from + NULL_LENGTH;
  if (start === CHARACTER.quote) return takeText(draft, member, bytes, from);
  return start === CHARACTER.openingBrace || start === CHARACTER.openingBracket
    ? takeContainer(draft, member, bytes, from)
    : takeInteger(draft, member, bytes, from);
}

function takeContainer(draft: Draft, member: Member, bytes: Buffer, from: number): number {
  const { value, end } = readContainer(bytes, from);
  draft.end = writeMessageAttribute(draft.bytes, draft.end, member.name, value);
  return end;
}

/** The same where the attribute has other words for the values. */
function takeWord(draft: Draft, member: Member, bytes: Buffer, from: number): number {
  for (const word of member.words) {
    if (!matches(bytes, from, word.json)) continue;
    draft.end += word.attribute.copy(draft.bytes, draft.end);
    return from + word.json.length;
  }
  return takeAttribute(draft, member, bytes, from);
}

function takeInteger(draft: Draft, member: Member, bytes: Buffer, from: number): number {
  let value = 0;
  let end = from;
  for (
    let digit = (bytes[from] as number) - CHARACTER.zero;
    digit >= 0 && digit <= 9;
    digit = (bytes[++end] as number) - CHARACTER.zero
  )
    value = value * 10 + digit;
  if (end === from) throw unreadable(bytes, from);
  draft.end = writeIntegerAttribute(draft.bytes, draft.end, member.name, value);
  return end;
}

function takeText(draft: Draft, member: Member, bytes: Buffer, from: number): number {
  const end = stringEnd(bytes, from + 1);
  if (end < 0) {
    // A backslash: rare, as only a process's name can hold one.
    const behind = escapedStringEnd(bytes, from + 1) + 1;
    const text = Buffer.from(JSON.parse(bytes.toString('utf8', from, behind)) as string);
    draft.end = writeTextAttribute(draft.bytes, draft.end, member.name, text, 0, text.length);
    return behind;
  }
  if (member.decides !== null) draft.impact[member.decides] = textOf(member, bytes, from + 1, end);
  draft.end = writeTextAttribute(draft.bytes, draft.end, member.name, bytes, from + 1, end);
  return end + 1;
}

/** Severity as LogRecord's fields 2 and 3, each made once. */
function createSeverityFields(): (impact: Impact) => Buffer {
  const made = new Map<Severity, Buffer>();
  return (impact) => {
    const severity = severityOf(impact);
    let fields = made.get(severity);
    if (fields === undefined) {
      fields = Buffer.concat([integerField(2, severity.number), textField(3, severity.text)]);
      made.set(severity, fields);
    }
    return fields;
  };
}

/** LogRecord's EventName by the kind of event, each made once. */
function createEventNames(): (kind: string) => Buffer {
  const made = new Map<string, Buffer>();
  return (kind) => {
    let field = made.get(kind);
    if (field === undefined) {
      field = textField(EVENT_NAME, `ktc.${kind}`);
      made.set(kind, field);
    }
    return field;
  };
}
