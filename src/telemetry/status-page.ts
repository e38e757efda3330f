/** The agent's account as a page for people: what `ktc status` and the end of `ktc run` print. */
import { type Ledger, total } from '../ledger/ledger.ts';
import { bytes, duration, grouped, printable } from '../shared/text.ts';
import { missedCalls } from '../source/module/status.ts';
import type { SinkStatus, SourceStatus, SpoolStatus, TelemetrySnapshot } from './snapshot.ts';
import { unreadiness } from './snapshot.ts';

type Term = readonly [name: string, value: number];

const LABEL_WIDTH = 10;

/** The whole page: source, probes, the account, sinks. One array element a line, without newlines. */
export function statusLines(snapshot: TelemetrySnapshot): string[] {
  const reasons = unreadiness(snapshot);
  const { connections, evicted } = snapshot.tracking;
  const { rss_bytes, cpu_seconds, event_loop_delay_p99_s } = snapshot.process;
  return [
    `ktc ${snapshot.version} on ${snapshot.host}, up ${duration(snapshot.uptime_s)}, ` +
      `${reasons.length === 0 ? 'ready' : 'NOT READY'}`,
    ...reasons.map((reason) => labelled('', reason)),
    '',
    ...sourceLines(snapshot.source),
    labelled('tracking', `${grouped(connections)} connections, ${grouped(evicted)} evicted`),
    labelled(
      'process',
      `${bytes(rss_bytes)} resident, ${cpu_seconds.toFixed(1)} s CPU, ` +
        `event loop delay p99 ${(event_loop_delay_p99_s * 1e3).toFixed(1)} ms`,
    ),
    '',
    ...accountLines(snapshot),
    '',
    ...spoolLines(snapshot.spool),
    ...Object.entries(snapshot.sinks).flatMap(([name, sink]) => sinkLines(name, sink)),
  ].map(printable);
}

/** The ledger's equations with their numbers, and what was filtered, suppressed, refused, dropped and lost, by reason. */
export function accountLines({ ledger }: Pick<TelemetrySnapshot, 'ledger'>): string[] {
  const { read, decoded, malformed, derived, emitted, filtered, suppressed, held } = ledger;
  return [
    equation(
      'records',
      [['read', read]],
      [
        ['decoded', decoded],
        ['malformed', malformed],
      ],
    ),
    equation(
      'events',
      [
        ['decoded', decoded],
        ['derived', derived],
      ],
      [
        ['emitted', emitted],
        ['filtered', total(filtered)],
        ['suppressed', total(suppressed)],
        ['held', held],
      ],
    ),
    ...sinkEquations(ledger),
    ...reasonLines(ledger),
  ].map(printable);
}

/** What became of the events of each sink, where no kernel records were read. */
export function sinkAccountLines(ledger: Ledger): string[] {
  return [...sinkEquations(ledger), ...sinkReasonLines(ledger)].map(printable);
}

function sinkEquations({ emitted, sinks }: Ledger): string[] {
  return Object.entries(sinks).map(([name, sink]) =>
    equation(
      name,
      [['emitted', emitted], ...(sink.recovered > 0 ? [['recovered', sink.recovered] as const] : [])],
      [
        ['delivered', sink.delivered],
        ['rejected', total(sink.rejected)],
        ['dropped', total(sink.dropped)],
        ['queued', sink.queued],
        ['spooled', sink.spooled],
        ['in flight', sink.in_flight],
      ],
    ),
  );
}

/** One side by side with the other, and a mark where they are not the same. */
function equation(label: string, left: readonly Term[], right: readonly Term[]): string {
  const side = (terms: readonly Term[]) =>
    terms.map(([name, value]) => `${name} ${grouped(value)}`).join(' + ');
  const sum = (terms: readonly Term[]) => terms.reduce((all, [, value]) => all + value, 0);
  const difference = sum(left) - sum(right);
  return difference === 0
    ? labelled(label, `${side(left)} = ${side(right)}`)
    : labelled(label, `${side(left)} != ${side(right)}   <-- DIFFERS BY ${grouped(Math.abs(difference))}`);
}

function reasonLines(ledger: Ledger): string[] {
  const { filtered, suppressed, lost } = ledger;
  return [
    ...countLines('filtered', filtered),
    ...countLines('suppressed', suppressed),
    ...sinkReasonLines(ledger),
    ...(total(lost) === 0 ? [labelled('lost', 'nothing')] : countLines('lost', lost)),
  ];
}

function sinkReasonLines({ sinks }: Ledger): string[] {
  return Object.entries(sinks).flatMap(([name, sink]) => [
    ...countLines(name, sink.rejected, 'rejected: '),
    ...countLines(name, sink.dropped, 'dropped: '),
  ]);
}

function countLines(label: string, counts: Readonly<Record<string, number>>, what = ''): string[] {
  const said = Object.entries(counts)
    .filter(([, amount]) => amount > 0)
    .map(([reason, amount]) => `${reason} ${grouped(amount)}`);
  return said.length === 0 ? [] : [labelled(label, what + said.join(', '))];
}

function sourceLines({ kind, instance, clock, cpus, probes, module, paused }: SourceStatus): string[] {
  const facts = [kind];
  if (instance !== null) facts.push(`instance ${instance}`);
  facts.push(`clock ${clock}`, cpus.length === 1 ? '1 CPU' : `${cpus.length} CPUs`);
  if (paused) facts.push('PAUSED because a sink is behind');
  const width = Math.max(0, ...probes.map(({ name }) => name.length));
  return [
    labelled('source', facts.join(', ')),
    ...moduleLines(module),
    ...probes.map(({ name, enabled, filter, problem }) =>
      labelled(
        'probe',
        [
          name.padEnd(width),
          enabled ? 'on ' : 'off',
          problem ?? (filter === null ? '' : `if ${filter}`),
        ].join('  '),
      ),
    ),
  ];
}

function moduleLines(module: SourceStatus['module']): string[] {
  if (module === null) return [];
  const on = module.hooks.filter(({ state }) => state === 'on');
  const ways = [...new Set(on.flatMap(({ way }) => way ?? []))].join(', ');
  return [
    labelled(
      'module',
      `tcp_trace.ko ${module.version}, ${on.length} functions hooked by ${ways}, ` +
        `${grouped(missedCalls(module))} calls missed`,
    ),
  ];
}

function spoolLines({ directory, bytes: size, max_bytes, segments, full, problem }: SpoolStatus): string[] {
  const where =
    directory === null ? 'memory' : `${directory}, ${segments} ${segments === 1 ? 'file' : 'files'}`;
  return [
    labelled('spool', `${where}, ${bytes(size)} of ${bytes(max_bytes)}${full ? ', FULL' : ''}`),
    ...(problem === null ? [] : [labelled('', problem)]),
  ];
}

function sinkLines(name: string, sink: SinkStatus): string[] {
  const { state, problem, batches_sent, retries, window, last_acknowledged } = sink;
  return [
    labelled(
      'sink',
      `${name} ${state}, ${grouped(batches_sent)} batches sent, ${grouped(retries)} retries, ` +
        `window ${window}, last acknowledged ${last_acknowledged ?? 'never'}`,
    ),
    ...(problem === null ? [] : [labelled('', problem)]),
  ];
}

function labelled(label: string, said: string): string {
  return `${label.padEnd(LABEL_WIDTH)}${label.length < LABEL_WIDTH ? '' : ' '}${said}`.trimEnd();
}
