/** The live source: trace events of the kernel, native or of tcp_trace.ko, in the agent's own ftrace instance. */
import { basename } from 'node:path';
import { isSystemError } from '../shared/errors.ts';
import { type Opened, type Result, refusal, success } from '../shared/result.ts';
import { randomName } from '../shared/text.ts';
import { createLiveClock, showsMonotonic, type TraceClock } from './clock.ts';
import { type PageFormat, parsePageFormat } from './decode/format.ts';
import { disableOtherCatalog, enableProbes, type LiveProbe } from './enable-probes.ts';
import { enableTaskEvents, type TaskEvents } from './enable-task-events.ts';
import { type BufferCpus, createBufferCpus } from './ftrace/cpus.ts';
import { watchDisturbances } from './ftrace/disturbances.ts';
import {
  bufferCpus,
  type Instance,
  instanceIdentity,
  type OwnInstance,
  openInstance,
  openPrivateInstance,
  readSetting,
  removeInstance,
} from './ftrace/instance.ts';
import { startInstanceRemover } from './ftrace/instance-remover.ts';
import { heldSettings, prepareInstance } from './ftrace/prepare.ts';
import { guardSettings, type Setting } from './ftrace/settings.ts';
import { areFiltersShared } from './ftrace/shared-filters.ts';
import { hasCounted, openStats, type StatsFiles } from './ftrace/stats.ts';
import { openTracefs } from './ftrace/tracefs.ts';
import { readIdentity } from './host/identity.ts';
import { createLiveTasks } from './host/live-tasks.ts';
import { findOwnPid, isInitialPidNamespace } from './host/pid-namespace.ts';
import { type ProcThread, readAllThreads } from './host/proc-thread.ts';
import { createHostReporter } from './host/report.ts';
import { TASK_CAPACITY } from './host/task-tracker.ts';
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
  /** A round of reading is due so many milliseconds after the first record came. */
  readonly lingerMs: number;
  readonly probes: Readonly<Record<ProbeName, ProbeChoice>>;
  /** Also records which tasks begin and change their names, so that those of short life are known too. */
  readonly tracksProcesses?: boolean;
  /** Empty for the system's host name. */
  readonly hostName: string;
  /** Gets everything that is read, for `ktc record`. */
  readonly recording?: RecordingWriter;
  /** This process gives up root while the source is open, so another process has to remove the instance. */
  readonly losesRoot?: boolean;
  /** The instance is made anew, under another name if this one is taken, and is never taken over. */
  readonly isPrivate?: boolean;
  readonly news?: LiveNews;
}

const NO_NEWS: LiveNews = { ended() {}, left() {}, unreadable() {} };

/** Opens the instance and enables the chosen probes. Where that fails, nothing stays open. */
export function openKernelSource(options: KernelSourceOptions): Opened<Source> {
  const tracefs = openTracefs();
  if (!tracefs.ok) return tracefs;
  const ownPid = findOwnPid(tracefs.value);
  if (!ownPid.ok) return ownPid;
  const open = options.isPrivate === true ? openPrivateInstance : openInstance;
  const opened = open(tracefs.value, options.instance);
  if (!opened.ok) return opened;
  const instance = opened.value;
  const trace = startTrace(tracefs.value, instance, options);
  const source = trace.ok ? openParts(instance, { ...options, ownPid: ownPid.value }, trace.value) : trace;
  if (source.ok) return source;
  // The buffers of a taken-over instance hold records for a start that succeeds.
  if (!instance.takenOver) removeInstance(instance);
  instance.release();
  return source;
}

/** Opens the files of an instance that records; closes them again where one of them cannot be opened. */
function openParts(instance: OwnInstance, options: OpenOptions, trace: Trace): Result<Source> {
  const parts: { close(): void }[] = [trace.stats];
  const keep: Keep = (part) => {
    if (part !== null) parts.push(part);
    return part;
  };
  try {
    return success(createSource(instance, options, trace, keep));
  } catch (error) {
    if (!isSystemError(error)) throw error;
    for (const part of parts) part.close();
    return refusal(`cannot read the ftrace instance ${instance.path}: ${error.message}`);
  }
}

interface OpenOptions extends KernelSourceOptions {
  /** As in `Source`. */
  readonly ownPid: number;
}

/** Remembers a part that is to be closed where a later one cannot be opened. */
type Keep = <Part extends { close(): void } | null>(part: Part) => Part;

/** How an instance records. */
interface Trace {
  readonly clockName: string;
  readonly clock: TraceClock;
  readonly cpus: BufferCpus;
  readonly stats: StatsFiles;
  /** The text of events/header_page, and what it says. */
  readonly pageText: string;
  readonly pageFormat: PageFormat;
  readonly probes: readonly LiveProbe[];
  /** Filters of the kernel would be those of all tracers, so none is written. */
  readonly sharesFilters: boolean;
  readonly taskEvents: TaskEvents;
  /** The threads that were there before the first record of a probe. */
  readonly threads: ReadonlyMap<number, ProcThread>;
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
  const sharesFilters = shared.value;
  // Before the probes: whoever is in none of these records is in /proc, and whoever changes meanwhile is in both.
  const taskEvents = enableTaskEvents(instance, { wanted: options.tracksProcesses === true, sharesFilters });
  const canAsk = taskEvents.events.length > 0 && isInitialPidNamespace();
  const threads = canAsk ? readAllThreads(TASK_CAPACITY) : new Map();
  const probes = enableProbes(instance, { ...options, sharesFilters });
  if (!probes.ok) return probes;
  const clockName = prepared.value;
  const possible = bufferCpus(instance);
  const stats = openStats(instance, possible);
  // Of a new instance too: a CPU may have recorded since the events were enabled, and be offline by now.
  const cpus = createBufferCpus(possible, (cpu) => hasCounted(stats.read(cpu)));
  const [cpu = 0] = cpus.present();
  const readClock = () => stats.read(cpu)?.now ?? null;
  const clock = createLiveClock(clockName === 'mono' && showsMonotonic(readClock) ? null : readClock);
  if (clock === null) {
    stats.close();
    return refusal(`cannot read the clock ${clockName} from ${instance.path}/per_cpu/cpu0/stats`);
  }
  return success({
    ...{ clockName, clock, cpus, stats, pageText, pageFormat },
    ...{ probes: probes.value, sharesFilters, taskEvents, threads },
  });
}

function createSource(
  instance: OwnInstance,
  options: OpenOptions,
  { clockName, clock, cpus, stats, pageText, pageFormat, probes, sharesFilters, taskEvents, threads }: Trace,
  keep: Keep,
): Source {
  const { ownPid, recording, news = NO_NEWS } = options;
  const taskEventNames = taskEvents.events.map(({ event }) => event);
  const remover = options.losesRoot === true ? startInstanceRemover(instance) : null;
  const wanted: Setting[] = [
    // The first, because a new clock clears the buffer.
    { file: 'trace_clock', value: clockName },
    ...heldSettings(instance, options.bufferKb),
    ...eventSettings(probes, taskEventNames, sharesFilters),
    { file: 'tracing_on', value: '1' },
  ];
  const settings = keep(guardSettings(instance, wanted, remover?.emptyPidLists));
  const kernel = readIdentity(options.hostName);
  const session = randomName();
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
  recording?.begin({
    ...{ kernel, session, cpus: cpus.possible, clockName, epoch: clock.epoch, pageFormat: pageText, events },
    taskEvents: taskEvents.events.map(({ name, format }) => ({ name, format })),
  });
  const tasks = createLiveTasks({ clock, threads, ownPid, recording });

  const enabled = probes.flatMap(({ event }) => event ?? []);
  const isModule = options.catalog.kind === 'module';
  const kprobes = keep(isModule ? keepKprobes() : null);
  const identity = instanceIdentity(instance, kernel.bootId);
  const disturbances = keep(
    watchDisturbances({
      instance,
      sharedFilters: sharesFilters ? [...probes.flatMap(enabledEvent), ...taskEventNames] : [],
      needsFtrace: isModule,
    }),
  );
  const reporter = createHostReporter(news.unreadable);
  const live = createLiveReader({
    instance,
    cpus,
    bufferKb: options.bufferKb,
    lingerMs: options.lingerMs,
    clock,
    stats,
    settings,
    disturbances,
    pageFormat,
    readers: new Map(enabled.map(({ type, read }) => [type, read])),
    filters: new Map(enabled.flatMap(({ type, filter }) => (filter === null ? [] : [[type, filter]]))),
    taskReaders: new Map(taskEvents.events.map(({ type, read }) => [type, read])),
    tasks,
    recording,
    readMissed: isModule ? readMissedCalls : null,
    remove: async () => {
      kprobes?.close();
      const removed = remover === null ? removeInstance(instance) : await remover.remove();
      instance.release();
      return removed;
    },
    news,
  });
  return {
    clock,
    kernel,
    session,
    tasks: tasks.find,
    ownPid,
    run: live.run,
    stop: live.stop,
    setLinger: live.setLinger,
    status: () => ({
      kind: options.catalog.kind,
      instance: basename(instance.path),
      clock: clockName,
      cpus: live.cpus(),
      probes: probes.map(({ status }) => status),
      processTracking: { enabled: taskEventNames.length > 0, problem: taskEvents.problem },
      module: isModule ? readModule(kprobes) : null,
      paused: live.paused(),
      disturbances: disturbances.look(),
    }),
    position: () => ({ instance: identity, records: live.records() }),
    readHost() {
      // What the host has counted by now and what was read belong together.
      live.beat();
      // While no records come, nothing else follows the wall clock.
      const report = reporter.read(clock.follow());
      recording?.clock(clock);
      recording?.host(report);
      return report;
    },
  };
}

/** What each event records by. */
function eventSettings(
  probes: readonly LiveProbe[],
  taskEvents: readonly string[],
  sharesFilters: boolean,
): Setting[] {
  const ofEvent = (event: string, filter: string): Setting[] => [
    ...(sharesFilters ? [] : [{ file: `events/${event}/filter`, value: filter === '' ? '0' : filter }]),
    { file: `events/${event}/trigger`, value: '', list: 'triggers' },
    { file: `events/${event}/enable`, value: '1' },
  ];
  return [
    ...probes.flatMap(({ status }) =>
      enabledEvent({ status }).flatMap((event) => ofEvent(event, status.filter)),
    ),
    ...taskEvents.flatMap((event) => ofEvent(event, '')),
  ];
}

/** The event of a probe that is enabled, or none. */
function enabledEvent({ status: { enabled, event } }: Pick<LiveProbe, 'status'>): string[] {
  return enabled && event !== null ? [event] : [];
}
