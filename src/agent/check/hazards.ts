/** What else on this host concerns the functions that tcp_trace.ko hooks, and how its buffers are read. */
import { tryReadText } from '../../shared/try-read.ts';
import type { ModuleStatus } from '../../source/module/status.ts';
import { type Finding, warning } from './finding.ts';

/**
 * Parts and copies of these functions that the compiler has made, such as `tcp_reset.part.3`, from /proc/kallsyms. A call
 * of one of them does not come through the entry of the function itself.
 */
export function splitFunctions(kallsyms: string, functions: readonly string[]): string[] {
  if (functions.length === 0) return [];
  const split = new RegExp(`\\s((?:${functions.join('|')})\\.(?:part|constprop|isra)[.\\w]*)`, 'g');
  return [...new Set([...kallsyms.matchAll(split)].map(([, name = '']) => name))];
}

/**
 * The functions that a live patch (kpatch) replaces, from enabled_functions of tracefs: flag `I`, FTRACE_FL_IPMODIFY
 * (kernel/trace/ftrace.c, `t_show`). On EL7 a kprobe has it as well.
 */
export function patchedFunctions(enabledFunctions: string, functions: readonly string[]): string[] {
  return enabledFunctions.split('\n').flatMap((line) => {
    const [, name = '', flags = ''] = /^(\S+) \(\d+\)((?:\s+[A-Z]\b)*)/.exec(line) ?? [];
    return functions.includes(name) && flags.includes('I') ? [name] : [];
  });
}

/**
 * The functions that a kprobe holds, from the kernel's list of all kprobes (kernel/kprobes.c, `report_probe`): `k`, or
 * `j` for a jprobe, which EL7 still has. A kretprobe, `r`, on a function of `ours` is that of tcp_trace.ko.
 */
export function probedFunctions(
  kprobes: string,
  functions: readonly string[],
  ours: readonly string[],
): string[] {
  return kprobes.split('\n').flatMap((line) => {
    const [, type = '', name = ''] = /^\S+\s+([jkr])\s+(\w+)\+0x/.exec(line) ?? [];
    return functions.includes(name) && !(type === 'r' && ours.includes(name)) ? [name] : [];
  });
}

/** The warnings of this host. Without the module loaded, nobody knows which functions concern us. */
export function findHazards(tracefs: string, module: ModuleStatus | null): Finding[] {
  const hooks = module?.hooks.filter(({ state }) => state !== 'absent') ?? [];
  const functions = hooks.map((hook) => hook.function);
  const ours = hooks.filter(({ state }) => state === 'on').map((hook) => hook.function);
  const read = (path: string) => (functions.length === 0 ? '' : (tryReadText(path) ?? ''));
  const split = splitFunctions(read('/proc/kallsyms'), functions);
  const kprobes = read('/sys/kernel/debug/kprobes/list');
  const probed = probedFunctions(kprobes, functions, ours);
  // On EL7 a kprobe looks like a live patch, also our own.
  const byAnyKprobe = probedFunctions(kprobes, functions, []);
  const patched = patchedFunctions(read(`${tracefs}/enabled_functions`), functions).filter(
    (name) => !byAnyKprobe.includes(name),
  );
  const findings = [
    [split, 'are parts or copies that the compiler has made: calls of them alone are not seen'],
    [patched, 'are replaced by a live patch (kpatch): events tell of calls of the patched function'],
    [probed, 'are held by a kprobe of another program, which costs each call more and may keep patches out'],
  ] as const;
  return [
    ...findings.flatMap(([names, what]) =>
      names.length === 0 ? [] : [warning('functions', `${names.join(', ')} ${what}`)],
    ),
    ...(/^block$/m.test(tryReadText(`${tracefs}/trace_options`) ?? '')
      ? [
          warning(
            'tracing',
            `trace_options has block, so waiting for records takes a whole CPU: echo noblock > ${tracefs}/trace_options`,
          ),
        ]
      : []),
  ];
}
