/** Triggers as kernels show them, and what removes them. */
import { expect, test } from 'vitest';
import { activeTriggers, removalOf } from '../../../../src/source/ftrace/triggers.ts';

const NONE =
  '# Available triggers:\n# traceon traceoff snapshot stacktrace enable_event disable_event hist\n';

test('an event without triggers shows those that exist, which are none of its own', () => {
  expect(activeTriggers(NONE)).toEqual([]);
  expect(activeTriggers('')).toEqual([]);
  expect(activeTriggers('traceoff:unlimited\nsnapshot:count=1\n')).toEqual([
    'traceoff:unlimited',
    'snapshot:count=1',
  ]);
});

test.each([
  ['traceoff:unlimited', '!traceoff'],
  ['traceoff:count=5 if dport == 443', '!traceoff'],
  ['traceon:unlimited', '!traceon'],
  ['snapshot:count=1 if comm == "a:b"', '!snapshot'],
  ['stacktrace:unlimited', '!stacktrace'],
  ['enable_event:sched:sched_switch:unlimited', '!enable_event:sched:sched_switch'],
  ['disable_event:sock:inet_sock_set_state:count=3 if sport == 1', '!disable_event:sock:inet_sock_set_state'],
  [
    'hist:keys=common_pid:vals=hitcount:sort=hitcount:size=2048 [active]',
    '!hist:keys=common_pid:vals=hitcount:sort=hitcount:size=2048',
  ],
  [
    'hist:name=a:keys=comm:vals=hitcount:sort=hitcount:size=64 if comm == "[x]" [paused]',
    '!hist:name=a:keys=comm:vals=hitcount:sort=hitcount:size=64 if comm == "[x]"',
  ],
])('%s is removed by %s', (trigger, removal) => {
  expect(removalOf(trigger)).toBe(removal);
});
