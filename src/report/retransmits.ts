/** How many segments an event says were sent again, by kind. */
import { RETRANSMIT_KINDS, type RetransmitKind } from '../event/kinds.ts';
import { type Fields, numberOf } from './fields.ts';

const KINDS: ReadonlySet<unknown> = new Set(RETRANSMIT_KINDS);

function isKind(value: unknown): value is RetransmitKind {
  return KINDS.has(value);
}

/**
 * A summary counts only what has no event of its own (docs/events.md). It tells the kinds of its whole interval: where
 * some of them had events, the kinds of the others are not known.
 */
export function retransmitsOf(fields: Fields): readonly (readonly [RetransmitKind, number])[] {
  const kind = fields['retransmit_kind'];
  if (fields['event'] === 'tcp_retransmit') return [[isKind(kind) ? kind : 'unknown', 1]];
  const suppressed = numberOf(fields['retransmits_suppressed']) ?? 0;
  if (suppressed !== numberOf(fields['retransmits'])) return [['unknown', suppressed]];
  return RETRANSMIT_KINDS.map((each) => [each, numberOf(fields[`retransmits_${each}`]) ?? 0]);
}
