/** The live source: trace events of the kernel, its own or tcp_trace.ko's, in an ftrace instance of ours. */
import { randomBytes } from 'node:crypto';
import type { Opened } from '../shared/result.ts';
import { createLiveClock } from './clock.ts';
import { type PageFormat, parseEventFormat, parsePageFormat } from './decode/format.ts';
import { compileReader, type RecordReader } from './decode/record.ts';
import {
  bufferCpus,
  type Instance,
  instanceIdentity,
  openInstance,
  prepareInstance,
  readSetting,
  removeInstance,
  writeSetting,
} from './ftrace/instance.ts';
import { startKeeper } from './ftrace/instance-remover.ts';
import { holdSettings, type Setting } from './ftrace/settings.ts';
import { openStats } from './ftrace/stats.ts';
import { openTracefs } from './ftrace/tracefs.ts';
import { readIdentity } from './host/identity.ts';
import { createTaskLookup } from './host/tasks.ts';
import { keepFile } from './kept-open-file.ts';
import { createLiveReader } from './live.ts';
import { eventProblem, keepKprobes, readMissedCalls, readModule } from './module/status.ts';
import { filterProblem } from './probe-filter.ts';
import {
  type Catalog,
  MODULE,
  PROBES,
  type ProbeChoice,
  type ProbeName,
  type ProbeStatus,
  TRACEPOINTS,
} from './probes.ts';
import type { RecordedEvent, RecordingWriter } from './recording/recording.ts';
import type { LiveNews, Source } from './source.ts';

export interface KernelSourceOptions {
  readonly catalog: Catalog;
  readonly instance: string;
  /** Per CPU. */
  readonly bufferKb: number;
  readonly probes: Readonly<Record<ProbeName, ProbeChoice>>;
  /** Empty takes the system's. */
  readonly hostName: string;
  /** Keeps everything that is read, for `ktc record`. */
  readonly recording?: RecordingWriter;
  /** This process gives root up while the source is open: somebody else has to remove the instance. */
  readonly losesRoot?: boolean;
  readonly news?: LiveNews;
}

const NO_NEWS: LiveNews = { ended() {}, left() {} };

interface Probe {
  readonly status: ProbeStatus;
  readonly format: string;
  /** By `common_type`; null when the probe is off. */
  readonly reader: readonly [type: number, read: RecordReader] | null;
}

/** Opens the instance and enables the chosen probes. A probe that this kernel lacks stays off and says why. */
export function openKernelSource(options: KernelSourceOptions): Opened<Source> {
  const tracefs = openTracefs();
  if (!tracefs.ok) return { ok: false, problem: tracefs.problem, permission: true };
  const opened = openInstance(tracefs.path, options.instance);
  if (!opened.ok) return opened;
  const source = startInInstance(tracefs.path, opened.value, options);
  // What a killed run left holds records: they wait for a start that succeeds.
  if (!source.ok && !opened.value.takenOver) removeInstance(opened.value);
  return source;
}

function startInInstance(tracefs: string, instance: Instance, options: KernelSourceOptions): Opened<Source> {
  if (instance.takenOver) silenceOthers(instance, options.catalog);
  const prepared = prepareInstance(instance, options.bufferKb);
  if (!prepared.ok) return prepared;
  // The instance's own: an operator may have given the global buffer another page size (`buffer_subbuf_size_kb`).
  const pageText = readSetting(instance, 'events/header_page') ?? '';
  const pageFormat = parsePageFormat(pageText);
  if (pageFormat === null)
    return { ok: false, problem: `cannot understand ${instance.path}/events/header_page` };

  const probes: Probe[] = [];
  for (const name of PROBES) {
    const probe = enableProbe(instance, options, name);
    if (!probe.ok) return probe;
    probes.push(probe.value);
  }
  if (!probes.some(({ status }) => status.enabled)) {
    const problem = probes.find(({ status }) => status.problem !== null)?.status.problem;
    return { ok: false, problem: problem ?? 'no probe is enabled: enable one below source.probes' };
  }
  return {
    ok: true,
    value: createSource(tracefs, instance, options, prepared.value, pageText, pageFormat, probes),
  };
}

/** The run that left the instance may have had another kind of source. */
function silenceOthers(instance: Instance, catalog: Catalog): void {
  for (const other of [TRACEPOINTS, MODULE]) {
    if (other === catalog) continue;
    for (const event of Object.values(other.events)) {
      if (event !== null) writeSetting(instance, `events/${event}/enable`, '0');
    }
  }
}

function createSource(
  tracefs: string,
  instance: Instance,
  options: KernelSourceOptions,
  clockName: string,
  pageText: string,
  pageFormat: PageFormat,
  probes: readonly Probe[],
): Source {
  const { recording } = options;
  const cpus = bufferCpus(instance);
  const stats = openStats(instance, cpus);
  const settings = holdSettings(instance, settingsOf(clockName, probes));
  const saved = keepFile(`${tracefs}/saved_cmdlines`, 'read');
  const clock = createLiveClock(clockName === 'mono' ? null : () => stats.read(0)?.now ?? 0n);
  const kernel = readIdentity(options.hostName);
  const session = randomBytes(4).toString('hex');
  const events = probes.flatMap(({ status, format, reader }): RecordedEvent[] =>
    reader === null ? [] : [{ probe: status.name, filter: status.filter, format }],
  );
  recording?.begin({ kernel, session, cpus, clockName, epoch: clock.epoch, pageFormat: pageText, events });

  const readers = new Map(probes.flatMap(({ reader }) => (reader === null ? [] : [reader])));
  const isModule = options.catalog.kind === 'module';
  const kprobes = isModule ? keepKprobes() : null;
  const readMissed = isModule ? readMissedCalls : null;
  const identity = instanceIdentity(instance, kernel.bootId);
  const keeper = options.losesRoot === true ? startKeeper(instance) : null;
  const live = createLiveReader({
    instance,
    cpus,
    clock,
    stats,
    settings,
    pageFormat,
    readers,
    recording,
    readMissed,
    remove: async () => {
      saved?.close();
      kprobes?.close();
      return keeper === null ? removeInstance(instance) : keeper.remove();
    },
    news: options.news ?? NO_NEWS,
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
    }),
    position: () => ({ instance: identity, records: live.records() }),
  };
}

/** What the trace depends on: the clock first, because another one clears the buffer. */
function settingsOf(clockName: string, probes: readonly Probe[]): Setting[] {
  const ofProbes = probes
    .filter(({ status }) => status.enabled)
    .flatMap(({ status: { event, filter } }) => [
      { file: `events/${event}/filter`, value: filter === '' ? '0' : filter },
      { file: `events/${event}/enable`, value: '1' },
    ]);
  return [{ file: 'trace_clock', value: clockName }, ...ofProbes, { file: 'tracing_on', value: '1' }];
}

/** A wrong filter is the operator's mistake and fails; an event that the kernel lacks is not, and stays off. */
function enableProbe(
  instance: Instance,
  { catalog, probes }: KernelSourceOptions,
  name: ProbeName,
): Opened<Probe> {
  const event = catalog.events[name];
  const choice = probes[name];
  const off = (problem: string | null): Opened<Probe> => ({
    ok: true,
    value: { status: { name, event, enabled: false, filter: '', problem }, format: '', reader: null },
  });
  if (event === null) return off(null);
  if (!choice.enabled) {
    // A taken-over instance may have it on.
    writeSetting(instance, `events/${event}/enable`, '0');
    return off(null);
  }
  const module = catalog.kind === 'module' ? readModule() : null;
  const lack = module === null ? null : eventProblem(module, name);
  if (lack !== null) return off(lack);
  const text = readSetting(instance, `events/${event}/format`);
  const format = text === null ? null : parseEventFormat(text);
  if (text === null || format === null) return off(`this kernel has no event ${event.replace('/', ':')}`);
  const compiled = compileReader(name, format);
  if (!compiled.ok) return off(compiled.problem);

  if (choice.filter !== '') {
    const problem = filterProblem(choice.filter, format);
    if (problem !== null) return { ok: false, problem: `source.probes.${name}.filter: ${problem}` };
  }
  const own = catalog.filters[name];
  const parts = [own, choice.filter].filter((part) => part !== '');
  const filter = parts.map((part) => (parts.length > 1 ? `(${part})` : part)).join(' && ');
  const problem =
    writeSetting(instance, `events/${event}/filter`, filter === '' ? '0' : filter) ??
    writeSetting(instance, `events/${event}/enable`, '1');
  if (problem !== null) return { ok: false, problem: `source.probes.${name}: ${problem}` };
  // Before 4.10 the kernel does not hear of a failure (`regfunc` of struct tracepoint returned void).
  if (
    module !== null &&
    readModule()?.hooks.some((hook) => hook.probe === name && hook.state === 'on') !== true
  )
    return off(`tcp_trace.ko could not place its probes (see dmesg)`);
  return {
    ok: true,
    value: {
      status: { name, event, enabled: true, filter, problem: null },
      format: text,
      reader: [format.id, compiled.read],
    },
  };
}
