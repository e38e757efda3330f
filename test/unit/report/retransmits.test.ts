import { expect, it } from 'vitest';
import { retransmitsOf } from '../../../src/report/retransmits.ts';

const summary = (values: object) => ({
  event: 'tcp_retransmit_summary',
  retransmits: 5,
  retransmits_rto: 3,
  retransmits_fast: 2,
  ...values,
});
const sumOf = (fields: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(retransmitsOf(fields).filter(([, segments]) => segments > 0));

it.each([
  ['an event is one of its kind', { event: 'tcp_retransmit', retransmit_kind: 'tlp' }, { tlp: 1 }],
  ['a kind that is not known yet', { event: 'tcp_retransmit', retransmit_kind: 'rack' }, { unknown: 1 }],
  [
    'a summary without events of its own tells all kinds',
    summary({ retransmits_suppressed: 5 }),
    { rto: 3, fast: 2 },
  ],
  [
    'a summary beside some events tells only how many more',
    summary({ retransmits_suppressed: 4 }),
    { unknown: 4 },
  ],
  ['a summary beside all events tells nothing more', summary({ retransmits_suppressed: 0 }), {}],
])('%s', (_, fields, expected) => {
  expect(sumOf(fields)).toEqual(expected);
});
