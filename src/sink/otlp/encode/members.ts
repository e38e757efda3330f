/** The members of an event's JSON, found by their names without a string for each. */
import { attributeOf } from './attributes.ts';
import { CHARACTER, matches, unreadable } from './scan.ts';
import { attribute, RECORD_ATTRIBUTES, textField } from './wire.ts';

/** One member of the JSON, and what to do with its value. */
export interface Member {
  readonly use: 'attribute' | 'words' | 'origin' | 'timestamp' | 'event';
  /** `"name":` */
  readonly key: Buffer;
  /** The attribute's name as a field of KeyValue. */
  readonly name: Buffer;
  /** Values that the attribute has other words for. */
  readonly words: readonly Word[];
  /** The part of the severity that it decides on. */
  readonly decides: 'retransmit_kind' | 'state' | null;
  /** The value of all events, for what is the origin's; the last value else, for what decides on the severity. */
  json: Buffer;
  text: string;
  /** The member that came behind it the last time: mostly the same, as the order is fixed. */
  next: Member | null;
}

interface Word {
  /** The value in the event. */
  readonly json: Buffer;
  /** The whole attribute. */
  readonly attribute: Buffer;
}

export interface Members {
  /** In the place of a member before the first. */
  readonly opening: Member;
  of(name: string): Member;
  /** The member that begins at `at`, behind `previous`. */
  at(bytes: Buffer, at: number, previous: Member): Member;
}

export const NOTHING = Buffer.alloc(0);

export function createMembers(): Members {
  const members = new Map<string, Member>();

  function of(name: string): Member {
    let member = members.get(name);
    if (member === undefined) {
      member = createMember(name);
      members.set(name, member);
    }
    return member;
  }

  return {
    opening: createMember(''),
    of,
    at(bytes, at, previous) {
      const expected = previous.next;
      if (expected !== null && matches(bytes, at, expected.key)) return expected;
      const nameEnd = bytes.indexOf(CHARACTER.quote, at + 1);
      const member = of(bytes.toString('utf8', at + 1, nameEnd));
      if (!matches(bytes, at, member.key)) throw unreadable(bytes, at);
      previous.next = member;
      return member;
    },
  };
}

function createMember(name: string): Member {
  const place = attributeOf(name);
  const words = Object.entries(place?.values ?? {});
  return {
    use: useOf(name, place === null, words.length > 0),
    key: Buffer.from(`${JSON.stringify(name)}:`),
    name: textField(1, place?.attribute ?? ''),
    words: words.map(([json, word]) => ({
      json: Buffer.from(json),
      attribute: attribute(RECORD_ATTRIBUTES, place?.attribute ?? '', word),
    })),
    decides: name === 'retransmit_kind' || name === 'state' ? name : null,
    json: NOTHING,
    text: '',
    next: null,
  };
}

function useOf(name: string, isOrigin: boolean, hasWords: boolean): Member['use'] {
  if (name === 'timestamp' || name === 'event') return name;
  if (isOrigin) return 'origin';
  return hasWords ? 'words' : 'attribute';
}

/** The text at `bytes[from .. to)`, made once as long as it stays the same. */
export function textOf(member: Member, bytes: Buffer, from: number, to: number): string {
  if (member.json.length !== to - from || !matches(bytes, from, member.json)) {
    member.json = Buffer.from(bytes.subarray(from, to));
    member.text = member.json.toString('utf8');
  }
  return member.text;
}
