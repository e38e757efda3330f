/** Enables the chosen probes in an ftrace instance, and says which of them this kernel lacks. */
import { DONE, type Result, refusal, success } from '../shared/result.ts';
import { compileReader, type RecordReader } from './decode/reader.ts';
import { compileFilter, type RecordFilter } from './filter/evaluate.ts';
import { parseFilter } from './filter/parse.ts';
import { describeEvent, disableEvent, enableEvent } from './ftrace/events.ts';
import type { Instance } from './ftrace/instance.ts';
import { checkEvent, readModule } from './module/status.ts';
import {
  type Catalog,
  MODULE,
  PROBES,
  type ProbeChoice,
  type ProbeName,
  type ProbeStatus,
  TRACEPOINTS,
} from './probes.ts';

export interface EnableOptions {
  readonly catalog: Catalog;
  readonly probes: Readonly<Record<ProbeName, ProbeChoice>>;
  /** A filter of the kernel would be that of all tracers, so none is written (src/source/ftrace/shared-filters.ts). */
  readonly sharesFilters: boolean;
}

/** A probe of a live source. */
export interface LiveProbe {
  readonly status: ProbeStatus;
  /** Null if the probe is not enabled. */
  readonly event: EnabledEvent | null;
}

export interface EnabledEvent {
  /** The `common_type` of its records. */
  readonly type: number;
  readonly read: RecordReader;
  /** What is decided here instead of in the kernel; null for nothing. */
  readonly filter: RecordFilter | null;
  /** The text of its format file. */
  readonly format: string;
}

/**
 * Enables the chosen probes. A probe that this kernel lacks stays disabled, and its status says why. A wrong filter is
 * a mistake of the operator and is refused.
 */
export function enableProbes(instance: Instance, options: EnableOptions): Result<readonly LiveProbe[]> {
  const probes: LiveProbe[] = [];
  for (const name of PROBES) {
    const probe = enableProbe(instance, options, name);
    if (!probe.ok) return probe;
    probes.push(probe.value);
  }
  if (probes.some(({ event }) => event !== null)) return success(probes);
  const problem = probes.find(({ status }) => status.problem !== null)?.status.problem;
  if (problem === undefined || problem === null) {
    return refusal('no probe is enabled: enable one below source.probes');
  }
  // In the words of source.kind, which chose these events.
  const remedy =
    options.catalog.kind === 'tracepoints' ? ': tcp_trace.ko has its own (source.kind module)' : '';
  return refusal(`${problem}${remedy}`);
}

/** Disables the events of the other catalog: an earlier agent may have used them in a taken-over instance. */
export function disableOtherCatalog(instance: Instance, catalog: Catalog): void {
  const other = catalog.kind === 'module' ? TRACEPOINTS : MODULE;
  for (const event of Object.values(other.events)) if (event !== null) disableEvent(instance, event);
}

function enableProbe(
  instance: Instance,
  { catalog, probes, sharesFilters }: EnableOptions,
  name: ProbeName,
): Result<LiveProbe> {
  const event = catalog.events[name];
  const choice = probes[name];
  const filteredBy = sharesFilters ? 'source' : 'kernel';
  const stayDisabled = (problem: string | null): Result<LiveProbe> =>
    success({ status: { name, event, enabled: false, filter: '', filteredBy, problem }, event: null });
  if (event === null) return stayDisabled(null);
  if (!choice.enabled) {
    // A taken-over instance may have enabled it.
    disableEvent(instance, event);
    return stayDisabled(null);
  }
  const available = catalog.kind === 'module' ? checkModuleEvent(name) : DONE;
  if (!available.ok) return stayDisabled(available.problem);
  const described = describeEvent(instance, event);
  if (!described.ok) return stayDisabled(described.problem);
  const { text, format } = described.value;
  const compiled = compileReader(name, format);
  if (!compiled.ok) return stayDisabled(compiled.problem);

  if (choice.filter !== '') {
    const checked = parseFilter(choice.filter, format);
    if (!checked.ok) return refusal(`source.probes.${name}.filter: ${checked.problem}`);
  }
  const filter = joinFilters([catalog.filters[name], choice.filter]);
  const decided = sharesFilters && filter !== '' ? compileFilter(filter, format) : success(null);
  if (!decided.ok) {
    const where = 'filters of this kernel are shared by all tracers, so the agent applies this one';
    return refusal(`source.probes.${name}.filter: ${decided.problem} (${where})`);
  }
  const enabled = enableEvent(instance, event, sharesFilters ? null : filter);
  if (!enabled.ok) return refusal(`source.probes.${name}: ${enabled.problem}`);
  if (catalog.kind === 'module' && !hasHook(name)) {
    return stayDisabled('tcp_trace.ko could not place its probes (see dmesg)');
  }
  return success({
    status: { name, event, enabled: true, filter, filteredBy, problem: null },
    event: { type: format.id, read: compiled.value, filter: decided.value, format: text },
  });
}

function checkModuleEvent(name: ProbeName): Result {
  const module = readModule();
  return module === null ? DONE : checkEvent(module, name);
}

function joinFilters(filters: readonly string[]): string {
  const parts = filters.filter((part) => part !== '');
  return parts.map((part) => (parts.length > 1 ? `(${part})` : part)).join(' && ');
}

/**
 * Whether the module has hooked a function for an event that was enabled. Before Linux 4.10 the module cannot report a
 * failure to the kernel: `regfunc` of struct tracepoint returned void.
 */
function hasHook(name: ProbeName): boolean {
  return readModule()?.hooks.some(({ probe, state }) => probe === name && state === 'on') === true;
}
