/**
 * Triggers of an event: what the kernel does when the event happens, such as to stop tracing (Linux 3.14 and newer,
 * Documentation/trace/events.rst, "Event triggers").
 */

/** The lines of `events/<system>/<event>/trigger` that are triggers: without any, it lists those that exist, as comments. */
export function activeTriggers(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

/** Triggers whose first argument tells them from others of the same kind: the event that they enable or disable. */
const WITH_EVENT: ReadonlySet<string> = new Set(['enable_event', 'disable_event']);
/** Triggers that are removed by their whole definition. */
const WITH_DEFINITION: ReadonlySet<string> = new Set(['hist', 'enable_hist', 'disable_hist']);

/**
 * What removes a trigger when it is written into the same file. The kernel shows one as `traceoff:count=5 if dport == 443`,
 * `enable_event:sched:sched_switch:unlimited`, or `hist:keys=pid:vals=hitcount:sort=hitcount:size=2048 [active]`.
 */
export function removalOf(trigger: string): string {
  const [kind = '', ...rest] = trigger.split(':');
  if (WITH_DEFINITION.has(kind)) return `!${trigger.slice(0, endOfDefinition(trigger))}`;
  if (WITH_EVENT.has(kind)) return `!${[kind, ...rest.slice(0, 2)].join(':')}`;
  return `!${kind}`;
}

/** Behind the definition is whether it is active, in brackets. */
function endOfDefinition(trigger: string): number {
  const state = trigger.lastIndexOf(' [');
  return state === -1 ? trigger.length : state;
}
