/** The fields that not all kinds have, compiled from the table: texts that are made once, and numbers between them. */
import type { EventDraft } from './draft.ts';
import { type Field, fieldsFrom, type SourcedField } from './field.ts';
import { utf8, writeBytes, writeNumber } from './json-bytes.ts';

export interface OwnFields {
  /** Of all bytes that `writeOwnFields` may write. */
  readonly maxBytes: number;
  /** The fields that have one of a few values: which of `heads` stands for those of a draft. */
  readonly choices: readonly Choice[];
  /** By the choices: all members up to the first number, or to the end. */
  readonly heads: readonly Uint8Array[];
  readonly numbers: readonly NumberMember[];
}

interface Choice {
  readonly indexOf: (draft: EventDraft) => number;
  readonly count: number;
}

interface NumberMember {
  readonly numberOf: (draft: EventDraft) => number;
  /** The name of the next number; nothing behind the last. */
  readonly behind: Uint8Array;
  /** The same with a null before it. */
  readonly unknown: Uint8Array;
  /** Of the first of numbers that are known together. */
  readonly group: Group | null;
}

interface Group {
  readonly isKnown: (draft: EventDraft) => boolean;
  /** How many follow the first. */
  readonly others: number;
  /** In the place of all of them where they are not known. */
  readonly unknown: Uint8Array;
}

/** Number.MAX_SAFE_INTEGER has 16 digits. */
const MAX_NUMBER_BYTES = 16;
const END = '}';
const CLOSING_BRACE = END.charCodeAt(0);

/** The fields must be in the order of the bytes, choices before numbers. */
export function compileOwnFields(fields: readonly Field[]): OwnFields {
  const choices = fieldsFrom('index', fields);
  const numberFields = fieldsFrom('number', fields);
  const behindHead = numberFields[0]?.start ?? END;
  const heads = headTexts(choices).map((text) => utf8(text + behindHead));
  const numbers = compileNumbers(numberFields);
  return {
    choices: choices.map(({ from }) => ({ indexOf: from.index, count: from.of.length })),
    heads,
    numbers,
    maxBytes:
      Math.max(...heads.map((head) => head.length)) +
      numbers.reduce((sum, { behind }) => sum + MAX_NUMBER_BYTES + behind.length, END.length),
  };
}

/** Every combination of the choices' values, the last choice changing first. */
function headTexts(choices: readonly SourcedField<'index'>[]): string[] {
  let texts = [''];
  for (const { start, from } of choices) {
    texts = texts.flatMap((text) => from.of.map((value) => text + start + JSON.stringify(value)));
  }
  return texts;
}

function compileNumbers(fields: readonly SourcedField<'number'>[]): NumberMember[] {
  return fields.map(({ from }, index) => {
    const behind = fields[index + 1]?.start ?? '';
    return {
      numberOf: from.number,
      behind: utf8(behind),
      unknown: utf8(`null${behind}`),
      group: groupAt(fields, index),
    };
  });
}

/** The group that begins there. */
function groupAt(fields: readonly SourcedField<'number'>[], first: number): Group | null {
  const isKnown = fields[first]?.from.isKnown;
  if (isKnown === undefined || fields[first - 1]?.from.isKnown === isKnown) return null;
  let unknown = '';
  let end = first;
  for (; fields[end]?.from.isKnown === isKnown; end++) unknown += `null${fields[end + 1]?.start ?? ''}`;
  return { isKnown, others: end - first - 1, unknown: utf8(unknown) };
}

/** Writes the fields of a draft of their kind and the end of the event; gives the offset behind it. */
export function writeOwnFields(out: Buffer, at: number, own: OwnFields, draft: EventDraft): number {
  const { choices, heads, numbers } = own;
  let head = 0;
  for (let place = 0; place < choices.length; place++) {
    const { indexOf, count } = choices[place] as Choice;
    const index = indexOf(draft);
    head = head * count + (index >= 0 && index < count ? index : 0);
  }
  let end = writeBytes(out, at, heads[head] as Uint8Array);
  const last = numbers.length - 1;
  if (last < 0) return end;
  for (let place = 0; place <= last; place++) {
    const { numberOf, group, unknown, behind } = numbers[place] as NumberMember;
    if (group !== null && !group.isKnown(draft)) {
      end = writeBytes(out, end, group.unknown);
      place += group.others;
      continue;
    }
    const value = numberOf(draft);
    if (value < 0) {
      end = writeBytes(out, end, unknown);
    } else {
      end = writeNumber(out, end, value);
      if (place < last) end = writeBytes(out, end, behind);
    }
  }
  out[end] = CLOSING_BRACE;
  return end + 1;
}
