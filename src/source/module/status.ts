/** tcp_trace.ko as the running kernel has it: what it offers, and how each of its hooks does. */
import { existsSync, readFileSync } from 'node:fs';
import { type KeptFile, keepFile } from '../kept-open-file.ts';

export const MODULE_NAME = 'tcp_trace';
/** `KTC_API` of kmodule/tcp_trace.c: raised when an event or a field changes its meaning. */
export const MODULE_API = 1;

const DIRECTORY = `/sys/module/${MODULE_NAME}`;
/** How the kernel carries each kretprobe (kernel/kprobes.c, `report_probe`). */
const KPROBES = '/sys/kernel/debug/kprobes/list';

/**
 * `ftrace`: called by the function's tracing entry; `optimized`: a jump; `breakpoint`: a trap for each call. `unknown`
 * where debugfs does not tell.
 */
export type HookWay = 'ftrace' | 'optimized' | 'breakpoint' | 'unknown';

/** A function of the kernel that an event comes from. */
export interface Hook {
  readonly probe: string;
  readonly function: string;
  /** `absent`: this kernel has no such function. */
  readonly state: 'absent' | 'off' | 'on';
  /** Calls that no probe could see since the module was loaded. */
  readonly missed: number;
  /** Null while the hook is not on. */
  readonly way: HookWay | null;
}

export interface ModuleStatus {
  readonly version: string;
  readonly api: number;
  /** Events that have a hook on this kernel. */
  readonly events: readonly string[];
  readonly hooks: readonly Hook[];
}

function parameter(name: string): string {
  return readFileSync(`${DIRECTORY}/parameters/${name}`, 'utf8').trim();
}

/** Lines such as `ffffffff817f1a30  k  tcp_set_state+0x0    [FTRACE]`, by function. */
function parseWays(list: string): ReadonlyMap<string, HookWay> {
  const ways = new Map<string, HookWay>();
  for (const line of list.split('\n')) {
    const name = /^\S+\s+[kr]\s+(\w+)\+0x/.exec(line)?.[1];
    if (name === undefined || line.includes('[DISABLED]')) continue;
    const way = line.includes('[FTRACE]')
      ? 'ftrace'
      : line.includes('[OPTIMIZED]')
        ? 'optimized'
        : 'breakpoint';
    ways.set(name, way);
  }
  return ways;
}

/** One line of the parameter `probes`: `tcp_set_state tcp_set_state on ftrace nmissed=0`. */
const HOOK = /^(\w+) (\w+) (absent|off|on) (ftrace|kretprobe) nmissed=(\d+)$/;

function parseHook(line: string, ways: ReadonlyMap<string, HookWay>): Hook[] {
  const [, probe, name, state, means, missed] = HOOK.exec(line) ?? [];
  if (probe === undefined || name === undefined) return [];
  const isOn = state === 'on';
  return [
    {
      probe,
      function: name,
      state: isOn ? 'on' : state === 'off' ? 'off' : 'absent',
      missed: Number(missed),
      way: isOn ? (means === 'ftrace' ? means : (ways.get(name) ?? 'unknown')) : null,
    },
  ];
}

/** The hooks of the parameter `probes`; `kprobes` is the kernel's list of them, null where it cannot be read. */
export function parseHooks(probes: string, kprobes: string | null): Hook[] {
  const ways = parseWays(kprobes ?? '');
  return probes.split('\n').flatMap((line) => parseHook(line, ways));
}

function readKprobes(): string | null {
  try {
    return readFileSync(KPROBES, 'utf8');
  } catch {
    return null;
  }
}

export function isModuleLoaded(): boolean {
  return existsSync(`${DIRECTORY}/parameters/api`);
}

/** The kernel's list of all kprobes, kept open for `readModule`: only root may open it. Null where there is none. */
export function keepKprobes(): KeptFile | null {
  return keepFile(KPROBES, 'read');
}

/** Null when the module is not loaded. `kprobes` is a kept list; without one it is opened anew. */
export function readModule(kprobes: KeptFile | null = null): ModuleStatus | null {
  try {
    return {
      version: readFileSync(`${DIRECTORY}/version`, 'utf8').trim(),
      api: Number(parameter('api')),
      events: parameter('events').split(','),
      hooks: parseHooks(parameter('probes'), kprobes?.read()?.toString('latin1') ?? readKprobes()),
    };
  } catch {
    // Also when it is unloaded while we look.
    return null;
  }
}

const countMissed = (hooks: readonly Hook[]): number => hooks.reduce((sum, { missed }) => sum + missed, 0);

/** Calls that the hooks could not see, all together. */
export function missedCalls(module: ModuleStatus): number {
  return countMissed(module.hooks);
}

/** The same as the kernel has it now, without how each hook is carried, which costs a list of all kprobes. */
export function readMissedCalls(): number {
  try {
    return countMissed(parseHooks(parameter('probes'), null));
  } catch {
    // The module is not loaded, or is unloaded while we look.
    return 0;
  }
}

/** Why an event of the module cannot be had on this kernel, or null. */
export function eventProblem({ events, hooks }: ModuleStatus, event: string): string | null {
  if (events.includes(event)) return null;
  const functions = hooks.filter(({ probe }) => probe === event).map((hook) => hook.function);
  return functions.length === 0
    ? `${MODULE_NAME}.ko has no event ${event}`
    : `this kernel has no function ${functions.join(', ')} to probe`;
}
