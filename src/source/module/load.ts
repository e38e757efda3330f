/** Loads tcp_trace.ko into the kernel and unloads it. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { DONE, type Opened, type Result, refusal, success } from '../../shared/result.ts';
import { ftraceProblem } from '../ftrace/disturbances.ts';
import { isModuleLoaded, MODULE_APIS, MODULE_NAME, type ModuleStatus, readModule } from './status.ts';

const NOT_ROOT = 'loading a kernel module needs root: run it with sudo';
const HOW_TO_BUILD = '`ktc module build` makes it (needs kernel-devel, gcc and make)';

/** Runs a program to its end. The problem is its standard error in one line. */
function run(program: string, args: readonly string[]): Result {
  // In English, because our message depends on its message.
  const result = spawnSync(program, args, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });
  if (result.error !== undefined) return refusal(`${program}: ${result.error.message}`);
  return result.status === 0 ? DONE : refusal(result.stderr.trim().replace(/\s*\n\s*/g, '; '));
}

/** The string of this name in the section .modinfo of a module file, such as `vermagic`; null if it has none. */
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

/**
 * Explains in one line why modprobe or insmod failed. `said` is the message of kmod or busybox; `path` is the file that
 * was given to insmod, empty for modprobe.
 */
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

/** Whether this agent reads the events of a module of this API. */
export function checkApi({ version, api }: Pick<ModuleStatus, 'version' | 'api'>): Result {
  const { oldest, newest } = MODULE_APIS;
  if (api >= oldest && api <= newest) return DONE;
  return refusal(
    `${MODULE_NAME}.ko ${version} speaks API ${api}, this agent ${oldest} to ${newest}: ` +
      'install the module that came with the agent, then ktc module unload and ktc module load',
  );
}

/** Whether this agent and this kernel can use the loaded module. */
function checkUsable(module: ModuleStatus): Result<ModuleStatus> {
  const problem = ftraceProblem();
  if (problem !== null) return refusal(problem);
  const spoken = checkApi(module);
  return spoken.ok ? success(module) : spoken;
}

/** The module that was built elsewhere for exactly this kernel: found also where nobody has run depmod. */
function findPrebuilt(): string {
  const path = `/lib/modules/${release()}/extra/${MODULE_NAME}.ko`;
  return existsSync(path) ? path : '';
}

/**
 * The file from which `loadModule` would load the module into this kernel, without loading it. The kernel may refuse it
 * all the same, by Secure Boot.
 */
export function findLoadable(path: string): Result<string> {
  const problem = ftraceProblem();
  if (problem !== null) return refusal(problem);
  const given = path || findPrebuilt();
  const file = fileToLoad(given);
  if (file === null || !existsSync(file)) return refusal(explainLoadFault('module not found', given));
  if (builtFor(given) !== release()) return refusal(explainLoadFault('invalid module format', given));
  const spoken = checkApi({
    version: readModuleInfo(file, 'version') ?? 'of an unknown version',
    api: Number(readModuleInfo(file, 'ktc_api')),
  });
  return spoken.ok ? success(file) : spoken;
}

/**
 * Loads the module if it is not loaded: from that file; where `path` is empty from the file in extra/ of this kernel's
 * modules, or else with modprobe.
 */
export function loadModule(path: string): Opened<ModuleStatus> {
  const loaded = readModule();
  if (loaded !== null) return checkUsable(loaded);
  if (process.getuid?.() !== 0) return { ...refusal(NOT_ROOT), permission: true };
  const file = path || findPrebuilt();
  const ended = file === '' ? run('modprobe', [MODULE_NAME]) : run('insmod', [file]);
  const module = readModule();
  if (module !== null) return checkUsable(module);
  return refusal(
    ended.ok ? `${MODULE_NAME}.ko was loaded and is not there` : explainLoadFault(ended.problem, file),
  );
}

/**
 * Unloads a module of another version of the agent, which this agent cannot read, where nobody uses it. The agent of
 * that version has ended: an upgrade, or its undoing, is under way.
 */
export function unloadForeignModule(): void {
  const loaded = readModule();
  if (loaded !== null && !checkApi(loaded).ok) unloadModule();
}

/** Unloads the module. One that is not loaded counts as unloaded. */
export function unloadModule(): Result {
  if (!isModuleLoaded()) return DONE;
  if (process.getuid?.() !== 0) return refusal('unloading a kernel module needs root: run it with sudo');
  const ended = run('rmmod', [MODULE_NAME]);
  if (ended.ok) return ended;
  return refusal(
    /in use|busy|temporarily unavailable/i.test(ended.problem)
      ? `${MODULE_NAME}.ko is in use: stop the agent, and every other tracer that has an event of the system ktc on`
      : `cannot unload ${MODULE_NAME}.ko: ${ended.problem}`,
  );
}
