/** The status page: the state of the agent for people, as `ktc status` prints it. */
import { accountLines, labelled } from '../ledger/account-lines.ts';
import { bytes, duration, escapeControls, grouped } from '../shared/text.ts';
import { missedCalls } from '../source/module/status.ts';
import {
  type HostStatusState,
  type SinkStatus,
  type SourceStatus,
  type SpoolStatus,
  type TelemetrySnapshot,
  unreadiness,
} from './snapshot.ts';

/** The lines of the whole page: source, probes, the account, sinks. */
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
    ...hostStatusLines(snapshot.host_status),
    labelled('tracking', `${grouped(connections)} connections, ${grouped(evicted)} evicted`),
    labelled(
      'process',
      `${bytes(rss_bytes)} resident, ${cpu_seconds.toFixed(1)} s CPU, ` +
        `event loop delay p99 ${(event_loop_delay_p99_s * 1e3).toFixed(1)} ms`,
    ),
    '',
    ...accountLines(snapshot.ledger),
    '',
    ...spoolLines(snapshot.spool),
    ...Object.entries(snapshot.sinks).flatMap(([name, sink]) => sinkLines(name, sink)),
  ].map((line) => escapeControls(line));
}

function hostStatusLines({ config_hash, interval_s, last_event_id }: HostStatusState): string[] {
  const how = interval_s === 0 ? 'off' : `every ${interval_s} s, the last is ${last_event_id ?? 'to come'}`;
  return [labelled('config', `hash ${config_hash}`), labelled('status', `host_status ${how}`)];
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
