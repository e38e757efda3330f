/** What `ktc check` says about the source: it opens one of its own, and leaves everything as it was. */
import { existsSync } from 'node:fs';
import { freemem } from 'node:os';
import type { LoadedConfig } from '../../config/load.ts';
import type { AgentConfig } from '../../config/schema.ts';
import { ownerOf, privateNames, removeStaleInstances } from '../../source/ftrace/instance.ts';
import { checkApi, findLoadable } from '../../source/module/load.ts';
import { isModuleLoaded, type ModuleStatus, missedCalls, readModule } from '../../source/module/status.ts';
import type { ProbeStatus } from '../../source/probes.ts';
import type { ProcessTracking } from '../../source/source.ts';
import { NO_NEWS, openSource } from '../assembly/source.ts';
import { checkSurroundings } from '../assembly/surroundings.ts';
import { type Finding, failed, ok, warning } from './finding.ts';
import { findHazards } from './hazards.ts';

const MIB = 1 << 20;
/** Not the agent's instance, whose records belong to an agent that runs, or to the next one. */
const CHECK_INSTANCE = privateNames('ktc-check-\\d+');

export async function checkSource({ config }: LoadedConfig): Promise<Finding[]> {
  const { kind, module, instance } = config.source;
  if (kind === 'replay') return openAndClose(config, null);
  const tracefs = checkSurroundings();
  if (!tracefs.ok) return [failed('source', tracefs.problem)];
  removeStaleInstances(tracefs.value, CHECK_INSTANCE);
  const loaded = readModule();
  const around = [
    ...instanceFindings(`${tracefs.value}/instances/${instance}`),
    ...findHazards(tracefs.value, loaded),
  ];
  const own = (source: Partial<AgentConfig['source']>) => ({
    ...config,
    source: { ...config.source, instance: `ktc-check-${process.pid}`, ...source },
  });
  // One of another API is as good as none: the agent unloads it at its start, where nobody uses it.
  const isUsable = loaded !== null && checkApi(loaded).ok;
  if (kind === 'tracepoints' || isUsable) return [...(await openAndClose(own({}), null)), ...around];
  const loadable = findLoadable(module.path);
  if (loadable.ok) return [...notLoaded(loadable.value), ...around];
  if (kind === 'module' && !module.build) return [failed('source', loadable.problem), ...around];
  if (kind === 'module') {
    const problem = `${loadable.problem}; the agent will try to build it at its start (source.module.build)`;
    return [warning('source', problem), ...around];
  }
  return [...(await openAndClose(own({ kind: 'tracepoints' }), loadable.problem)), ...around];
}

/**
 * A check loads no module: it would have to unload it again, and on EL7 that empties the buffers of all tracers on the
 * host (kernel/trace/trace_events.c, `trace_module_remove_events`).
 */
function notLoaded(file: string): Finding[] {
  const unknown =
    'a check does not load it, and has not looked at its probes: ktc module load, and check again';
  return [ok('source', `module, to be loaded from ${file}`), ok('module', `not loaded yet: ${unknown}`)];
}

async function openAndClose(config: AgentConfig, withoutModule: string | null): Promise<Finding[]> {
  let reason = withoutModule;
  const news = {
    ...NO_NEWS,
    withoutModule(found: string) {
      reason = found;
    },
  };
  const opened = await openSource(config, news, { isPrivate: true });
  if (!opened.ok) {
    return [
      failed('source', withoutModule === null ? opened.problem : `${opened.problem}; ${withoutModule}`),
    ];
  }
  const { kind, clock, cpus, probes, processTracking, module, disturbances } = opened.value.status();
  await opened.value.stop();
  return [
    ok('source', `${kind}, clock ${clock}, ${cpus.length} CPUs`),
    ...disturbances.map((line) => warning('tracing', line)),
    ...moduleFindings(module, reason),
    ...probes.map(probeFinding),
    ...(kind === 'replay' ? [] : [processFinding(processTracking)]),
    bufferFinding(config.source.buffer_kb, cpus.length),
  ];
}

function instanceFindings(path: string): Finding[] {
  const owner = ownerOf(path);
  if (owner !== null) return [ok('instance', `${path} is in use by ${owner}`)];
  if (!existsSync(path)) return [];
  return [ok('instance', `${path} was left by a killed agent: the next one takes it over, with its records`)];
}

function moduleFindings(module: ModuleStatus | null, withoutModule: string | null): Finding[] {
  if (withoutModule !== null) {
    // One that is loaded was meant to be used.
    return [(isModuleLoaded() ? warning : ok)('module', `not used: ${withoutModule}`)];
  }
  if (module === null) return [];
  const on = module.hooks.filter(({ state }) => state === 'on');
  const slow = on.filter(({ way }) => way === 'breakpoint').map((hook) => hook.function);
  const missed = missedCalls(module);
  const said = `tcp_trace.ko ${module.version}, ${on.length} functions hooked, ${missed} calls missed`;
  return slow.length === 0
    ? [ok('module', said)]
    : [warning('module', `${said}; by breakpoint instead of ftrace: ${slow.join(', ')}`)];
}

function probeFinding({ name, event, enabled, problem, filter, filteredBy }: ProbeStatus): Finding {
  if (problem !== null) return warning(`probe ${name}`, problem);
  if (event === null) return ok(`probe ${name}`, 'only tcp_trace.ko has it');
  if (!enabled) return ok(`probe ${name}`, 'off by configuration');
  if (filter === '') return ok(`probe ${name}`, 'on');
  return ok(`probe ${name}`, `on, if ${filter}${filteredBy === 'source' ? ' (decided by the agent)' : ''}`);
}

function processFinding({ enabled, problem }: ProcessTracking): Finding {
  if (problem !== null) return warning('processes', `asked for in /proc: ${problem}`);
  return ok('processes', enabled ? 'followed from their beginning' : 'asked for in /proc by configuration');
}

function bufferFinding(bufferKb: number, cpus: number): Finding {
  const buffers = (bufferKb * cpus) / 1024;
  const free = freemem() / MIB;
  const detail = `${buffers} MiB of kernel memory`;
  if (buffers < free / 4) return ok('buffers', detail);
  return warning('buffers', `${detail} with ${Math.round(free)} MiB free: lower source.buffer_kb`);
}
