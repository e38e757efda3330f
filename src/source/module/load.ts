/** Brings tcp_trace.ko into the kernel and out of it, and says in one line why where it cannot. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import type { Opened } from '../../shared/result.ts';
import { isModuleLoaded, MODULE_API, MODULE_NAME, type ModuleStatus, readModule } from './status.ts';

const NOT_ROOT = 'loading a kernel module needs root: run it with sudo';
const HOW_TO_BUILD = '`ktc module build` makes it (needs kernel-devel, gcc and make)';

interface CommandEnd {
  readonly ok: boolean;
  /** What it said on standard error, in one line. */
  readonly said: string;
}

function run(program: string, args: readonly string[]): CommandEnd {
  // In English, because what it says decides what we say.
  const result = spawnSync(program, args, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });
  if (result.error !== undefined) return { ok: false, said: `${program}: ${result.error.message}` };
  return { ok: result.status === 0, said: result.stderr.trim().replace(/\s*\n\s*/g, '; ') };
}

/** One of the strings that a module carries in its section .modinfo, such as `vermagic`; null when it has none. */
export function readModuleInfo(path: string, name: string): string | null {
  const image = readFileSync(path, 'latin1');
  const start = image.indexOf(`\0${name}=`);
  if (start === -1) return null;
  const from = start + name.length + 2;
  return image.slice(from, image.indexOf('\0', from));
}

function fileToLoad(path: string): string | null {
  if (path !== '') return path;
  const { status, stdout } = spawnSync('modinfo', ['-n', MODULE_NAME], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}

function builtFor(path: string): string {
  const file = fileToLoad(path);
  try {
    const magic = file === null ? null : readModuleInfo(file, 'vermagic');
    return magic === null ? 'another kernel' : (magic.split(' ')[0] ?? '');
  } catch {
    return 'another kernel';
  }
}

/** One line about why modprobe or insmod failed, by what kmod or busybox `said`; `path` is empty for modprobe. */
export function explainLoadFault(said: string, path: string): string {
  const what = path === '' ? `${MODULE_NAME}.ko` : path;
  if (/module (\S+ )?not found|no such file/i.test(said)) {
    return path === ''
      ? `there is no ${MODULE_NAME}.ko for kernel ${release()}: ${HOW_TO_BUILD}`
      : `there is no file ${path}: ${HOW_TO_BUILD}`;
  }
  if (/exec format|invalid module format/i.test(said)) {
    return `${what} was built for ${builtFor(path)}, this kernel is ${release()}: ${HOW_TO_BUILD}`;
  }
  if (/required key|key was rejected|key not available/i.test(said)) {
    return `Secure Boot refuses the unsigned ${what}: sign it with a key that this host has enrolled (mokutil)`;
  }
  if (/unknown symbol/i.test(said)) {
    return `${what} needs a symbol that kernel ${release()} does not have (see dmesg): ${HOW_TO_BUILD}`;
  }
  if (/operation not permitted|permission denied/i.test(said)) {
    return process.getuid?.() === 0
      ? `the kernel does not let ${what} in: it is locked down, or this is a container without CAP_SYS_MODULE`
      : NOT_ROOT;
  }
  if (/function not implemented/i.test(said))
    return `kernel ${release()} cannot load modules at all (CONFIG_MODULES is off)`;
  return `cannot load ${what}: ${said}`;
}

function isFtraceEnabled(): boolean {
  try {
    return readFileSync('/proc/sys/kernel/ftrace_enabled', 'utf8').trim() !== '0';
  } catch {
    return true;
  }
}

/** Whether this agent can use the loaded module, on a kernel that lets it work. */
function checkUsable(module: ModuleStatus): Opened<ModuleStatus> {
  if (!isFtraceEnabled())
    return {
      ok: false,
      problem: `kernel.ftrace_enabled is 0, so ${MODULE_NAME}.ko sees nothing: set it to 1`,
    };
  if (module.api === MODULE_API) return { ok: true, value: module };
  return {
    ok: false,
    problem:
      `${MODULE_NAME}.ko ${module.version} speaks API ${module.api}, this agent ${MODULE_API}: ` +
      'install the module that came with the agent, then ktc module unload and ktc module load',
  };
}

/** The module, loaded if it was not: by name with modprobe, or from the file `path`. */
export function loadModule(path: string): Opened<ModuleStatus> {
  const loaded = readModule();
  if (loaded !== null) return checkUsable(loaded);
  if (process.getuid?.() !== 0) return { ok: false, problem: NOT_ROOT, permission: true };
  const { ok, said } = path === '' ? run('modprobe', [MODULE_NAME]) : run('insmod', [path]);
  const module = readModule();
  if (module !== null) return checkUsable(module);
  return {
    ok: false,
    problem: ok ? `${MODULE_NAME}.ko was loaded and is not there` : explainLoadFault(said, path),
  };
}

/** Null when the module is out of the kernel. */
export function unloadModule(): string | null {
  if (!isModuleLoaded()) return null;
  if (process.getuid?.() !== 0) return 'unloading a kernel module needs root: run it with sudo';
  const { ok, said } = run('rmmod', [MODULE_NAME]);
  if (ok) return null;
  return /in use|busy|temporarily unavailable/i.test(said)
    ? `${MODULE_NAME}.ko is in use: stop the agent, and every other tracer that has an event of the system ktc on`
    : `cannot unload ${MODULE_NAME}.ko: ${said}`;
}
