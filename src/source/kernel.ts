/** The live source: trace events of the kernel, native or of tcp_trace.ko, in the agent's own ftrace instance. */
import { randomBytes } from 'node:crypto';
import { type Opened, type Result, refusal, success } from '../shared/result.ts';
import { createLiveClock, type TraceClock } from './clock.ts';
import { type PageFormat, parsePageFormat } from './decode/format.ts';
import { disableOtherCatalog, enableProbes, type LiveProbe } from './enable-probes.ts';
import { watchDisturbances } from './ftrace/disturbances.ts';
import {
  bufferCpus,
  type Instance,
  instanceIdentity,
  openInstance,
  prepareInstance,
  readSetting,
  removeInstance,
} from './ftrace/instance.ts';
import { startInstanceRemover } from './ftrace/instance-remover.ts';
import { guardSettings, type Setting } from './ftrace/settings.ts';
import { areFiltersShared } from './ftrace/shared-filters.ts';
import { openStats, type StatsFiles } from './ftrace/stats.ts';
import { openTracefs } from './ftrace/tracefs.ts';
import { readIdentity } from './host/identity.ts';
import { createHostReporter } from './host/report.ts';
import { createTaskLookup } from './host/tasks.ts';
import { keepFile } from './kept-open-file.ts';
import { createLiveReader } from './live.ts';
import { keepKprobes, readMissedCalls, readModule } from './module/status.ts';
import type { Catalog, ProbeChoice, ProbeName } from './probes.ts';
import type { RecordedEvent, RecordingWriter } from './recording/recording.ts';
import type { LiveNews, Source } from './source.ts';

export interface KernelSourceOptions {
  readonly catalog: Catalog;
  readonly instance: string;
  /** Per CPU. */
  readonly bufferKb: number;
  readonly probes: Readonly<Record<ProbeName, ProbeChoice>>;
  /** Empty for the system's host name. */
  readonly hostName: string;
  /** Gets everything that is read, for `ktc record`. */
  readonly recording?: RecordingWriter;
  /** This process gives up root while the source is open, so another process has to remove the instance. */
  readonly losesRoot?: boolean;
  readonly news?: LiveNews;
}

const NO_NEWS: LiveNews = { ended() {}, left() {}, unreadable() {} };

/** Opens the instance and enables the chosen probes. */
export function openKernelSource(options: KernelSourceOptions): Opened<Source> {
  const tracefs = openTracefs();
  if (!tracefs.ok) return { ...tracefs, permission: true };
  const opened = openInstance(tracefs.value, options.instance);
  if (!opened.ok) return opened;
  const instance = opened.value;
  const trace = startTrace(tracefs.value, instance, options);
  if (trace.ok) return success(createSource(tracefs.value, instance, options, trace.value));
  // The buffers of a taken-over instance hold records for a start that succeeds.
  if (!instance.takenOver) removeInstance(instance);
  return trace;
}

/** How an instance records. */
interface Trace {
  readonly clockName: string;
  readonly clock: TraceClock;
  readonly cpus: number;
  readonly stats: StatsFiles;
  /** The text of events/header_page, and what it says. */
  readonly pageText: string;
  readonly pageFormat: PageFormat;
  readonly probes: readonly LiveProbe[];
}

function startTrace(tracefs: string, instance: Instance, options: KernelSourceOptions): Result<Trace> {
  if (instance.takenOver) disableOtherCatalog(instance, options.catalog);
  const prepared = prepareInstance(instance, options.bufferKb);
  if (!prepared.ok) return prepared;
  // From the instance: an operator may have given the global buffer another page size (`buffer_subbuf_size_kb`).
  const pageText = readSetting(instance, 'events/header_page') ?? '';
  const pageFormat = parsePageFormat(pageText);
  if (pageFormat === null) return refusal(`cannot understand ${instance.path}/events/header_page`);
  const shared = areFiltersShared(tracefs, instance);
  if (!shared.ok) return shared;
  const probes = enableProbes(instance, { ...options, sharesFilters: shared.value });
  if (!probes.ok) return probes;
  const clockName = prepared.value;
  const cpus = bufferCpus(instance);
  const stats = openStats(instance, cpus);
  const clock = createLiveClock(clockName === 'mono' ? null : () => stats.read(0)?.now ?? null);
  if (clock === null) {
    stats.close();
    return refusal(`cannot read the clock ${clockName} from ${instance.path}/per_cpu/cpu0/stats`);
  }
  return success({ clockName, clock, cpus, stats, pageText, pageFormat, probes: probes.value });
}

function createSource(
  tracefs: string,
  instance: Instance,
  options: KernelSourceOptions,
  { clockName, clock, cpus, stats, pageText, pageFormat, probes }: Trace,
): Source {
  const { recording, news = NO_NEWS } = options;
  const settings = guardSettings(instance, settingsOf(clockName, probes));
  const saved = keepFile(`${tracefs}/saved_cmdlines`, 'read');
  const kernel = readIdentity(options.hostName);
  const session = randomBytes(4).toString('hex');
  const events = probes.flatMap(({ status, event }): RecordedEvent[] =>
    event === null
      ? []
      : [
          {
            probe: status.name,
            filter: status.filter,
            filteredBy: status.filteredBy,
            format: event.format,
          },
        ],
  );
  recording?.begin({ kernel, session, cpus, clockName, epoch: clock.epoch, pageFormat: pageText, events });

  const enabled = probes.flatMap(({ event }) => event ?? []);
  const isModule = options.catalog.kind === 'module';
  const kprobes = isModule ? keepKprobes() : null;
  const identity = instanceIdentity(instance, kernel.bootId);
  const disturbances = watchDisturbances({
    instance,
    sharedFilters: probes.flatMap(({ status: { enabled, event, filteredBy } }) =>
      enabled && event !== null && filteredBy === 'source' ? [event] : [],
    ),
    needsFtrace: isModule,
  });
  const reporter = createHostReporter(news.unreadable);
  const remover = options.losesRoot === true ? startInstanceRemover(instance) : null;
  const live = createLiveReader({
    instance,
    cpus,
    clock,
    stats,
    settings,
    disturbances,
    pageFormat,
    readers: new Map(enabled.map(({ type, read }) => [type, read])),
    filters: new Map(enabled.flatMap(({ type, filter }) => (filter === null ? [] : [[type, filter]]))),
    recording,
    readMissed: isModule ? readMissedCalls : null,
    remove: async () => {
      saved?.close();
      kprobes?.close();
      return remover === null ? removeInstance(instance) : remover.remove();
    },
    news,
  });
  return {
    clock,
    kernel,
    session,
    tasks: createTaskLookup(saved, recording?.task),
    run: live.run,
    stop: live.stop,
    status: () => ({
      kind: options.catalog.kind,
      instance: options.instance,
      clock: clockName,
      cpus: live.cpus(),
      probes: probes.map(({ status }) => status),
      module: isModule ? readModule(kprobes) : null,
      paused: live.paused(),
      disturbances: disturbances.look(),
    }),
    position: () => ({ instance: identity, records: live.records() }),
    readHost() {
      // While no records come, nothing else follows the wall clock.
      const report = reporter.read(clock.follow());
      recording?.clock(clock);
      recording?.host(report);
      return report;
    },
  };
}

/** The settings that the trace depends on. The clock is the first, because a new clock clears the buffer. */
function settingsOf(clockName: string, probes: readonly LiveProbe[]): Setting[] {
  const ofProbes = probes
    .filter(({ status }) => status.enabled)
    .flatMap(({ status: { event, filter, filteredBy } }) => [
      ...(filteredBy === 'kernel'
        ? [{ file: `events/${event}/filter`, value: filter === '' ? '0' : filter }]
        : []),
      { file: `events/${event}/enable`, value: '1' },
    ]);
  return [{ file: 'trace_clock', value: clockName }, ...ofProbes, { file: 'tracing_on', value: '1' }];
}
