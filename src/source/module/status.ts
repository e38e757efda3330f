/** The state of tcp_trace.ko in the running kernel: its events, and the state of each of its hooks. */
import { existsSync, readFileSync } from 'node:fs';
import { DONE, type Result, refusal } from '../../shared/result.ts';
import { tryReadText } from '../../shared/try-read.ts';
import { type KeptFile, keepFile } from '../kept-open-file.ts';

export const MODULE_NAME = 'tcp_trace';
/**
 * The values of `KTC_API` (kmodule/tcp_trace.c) that this agent reads. Under API 1 a retransmit does not say what its
 * connection has sent.
 */
export const MODULE_APIS = { oldest: 1, newest: 2 } as const;

const DIRECTORY = `/sys/module/${MODULE_NAME}`;
/** How the kernel carries each kretprobe (kernel/kprobes.c, `report_probe`). */
const KPROBES = '/sys/kernel/debug/kprobes/list';

/**
 * How the kernel calls a hook. `ftrace`: by the tracing entry of the function; `optimized`: by a jump; `breakpoint`: by
 * a trap per call; `unknown`: debugfs does not say.
 */
export type HookWay = 'ftrace' | 'optimized' | 'breakpoint' | 'unknown';

/** A function of the kernel that the module hooks for one of its events. */
export interface Hook {
  /** The event that comes from it. */
  readonly probe: string;
  readonly function: string;
  /** `absent`: this kernel has no such function, or does not let it be hooked. */
  readonly state: 'absent' | 'off' | 'on';
  /** Calls since the module was loaded for which the kernel could not run the hook. */
  readonly missed: number;
  /** Null while the hook is not on. */
  readonly way: HookWay | null;
}

export interface ModuleStatus {
  readonly version: string;
  readonly api: number;
  /** The names of the events that have a hook on this kernel. */
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

/** Parses the parameter `probes`. `kprobes` is the kernel's list of all kprobes, null if it cannot be read. */
export function parseHooks(probes: string, kprobes: string | null): Hook[] {
  const ways = parseWays(kprobes ?? '');
  return probes.split('\n').flatMap((line) => parseHook(line, ways));
}

export function isModuleLoaded(): boolean {
  return existsSync(`${DIRECTORY}/parameters/api`);
}

/** Opens the kernel's list of all kprobes for `readModule`, because only root may open it. Null if there is none. */
export function keepKprobes(): KeptFile | null {
  return keepFile(KPROBES, 'read');
}

/** The module's state, null if it is not loaded. `kprobes` is the list that was kept open, null to open it now. */
export function readModule(kprobes: KeptFile | null = null): ModuleStatus | null {
  try {
    return {
      version: readFileSync(`${DIRECTORY}/version`, 'utf8').trim(),
      api: Number(parameter('api')),
      events: parameter('events').split(','),
      hooks: parseHooks(parameter('probes'), kprobes?.read() ?? tryReadText(KPROBES)),
    };
  } catch {
    // It is not loaded, or was unloaded in the meantime.
    return null;
  }
}

const countMissed = (hooks: readonly Hook[]): number => hooks.reduce((sum, { missed }) => sum + missed, 0);

/** The sum of the missed calls of all hooks. */
export function missedCalls(module: ModuleStatus): number {
  return countMissed(module.hooks);
}

/** Reads the sum of the missed calls now. It does not read the list of all kprobes, which is long. */
export function readMissedCalls(): number {
  try {
    return countMissed(parseHooks(parameter('probes'), null));
  } catch {
    // It is not loaded, or was unloaded in the meantime.
    return 0;
  }
}

/** Whether the module has this event on this kernel. */
export function checkEvent({ events, hooks }: ModuleStatus, event: string): Result {
  if (events.includes(event)) return DONE;
  const functions = hooks.filter(({ probe }) => probe === event).map((hook) => hook.function);
  return refusal(
    functions.length === 0
      ? `${MODULE_NAME}.ko has no event ${event}`
      : `this kernel has no function ${functions.join(', ')} to probe`,
  );
}
