/** Times as fields of LogRecord. */
import { NOTHING } from './members.ts';
import { CHARACTER, matches } from './scan.ts';
import { type SplitTime, splitSeconds, tag, WIRE, writeTime } from './wire.ts';

const TIME_TAG = tag(1, WIRE.fixed64);
const OBSERVED_TIME_TAG = tag(11, WIRE.fixed64);
const TIME_LENGTH = 9;
/** `2026-11-24T00:00:00` */
const SECOND_LENGTH = 19;
const FRACTION_LENGTH = 9;

export interface TimeField {
  readonly field: Buffer;
  /** Takes the timestamp that begins at `from`, behind the quote. */
  set(bytes: Buffer, from: number): void;
}

/** The field of an event's time, filled again for each event. */
export function createTimeField(): TimeField {
  const field = Buffer.alloc(TIME_LENGTH);
  field[0] = TIME_TAG;
  let secondJson = NOTHING;
  let second: SplitTime = { low: 0, high: 0 };
  return {
    field,
    set(bytes, from) {
      if (secondJson === NOTHING || !matches(bytes, from, secondJson)) {
        secondJson = Buffer.from(bytes.subarray(from, from + SECOND_LENGTH));
        second = splitSeconds(Date.parse(`${secondJson.toString('latin1')}Z`) / 1000);
      }
      let nanoseconds = 0;
      const fraction = from + SECOND_LENGTH + 1;
      for (let index = fraction; index < fraction + FRACTION_LENGTH; index++)
        nanoseconds = nanoseconds * 10 + (bytes[index] as number) - CHARACTER.zero;
      writeTime(field, 1, second, nanoseconds);
    },
  };
}

/** The field of the observed time, from milliseconds since 1970. */
export function observedTime(milliseconds: number): Buffer {
  const field = Buffer.alloc(TIME_LENGTH);
  const seconds = Math.floor(milliseconds / 1000);
  field[0] = OBSERVED_TIME_TAG;
  writeTime(field, 1, splitSeconds(seconds), (milliseconds - seconds * 1000) * 1e6);
  return field;
}
