/**
 * A Debian host in QEMU, for what hosts without guests cannot have: a kernel of its own, which takes modules and is changed.
 *
 *     const guest = await startGuestHost('web1', '6.1');
 *     await guest.run('web1', 'uname -r');
 *     guest.address                                      // this machine's loopback, as the host sees it
 *     await guest.reboot('6.12');                        // in order, and into that kernel, which has been installed
 *     await guest.close();                               // also when this process ends, however it ends
 *
 * The CPUs are emulated: a boot takes half a minute, and a run of the role some minutes.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasEnded } from './children.ts';
import { writeInitramfs } from './guest/initramfs.ts';
import { resolveModules } from './guest/modules.ts';
import {
  commandLine,
  counterSpeed,
  type GuestKernel,
  guestKernelRoot,
  guestUnavailable,
  releaseOf,
} from './guest.ts';
import { attemptOver, HOST_CACHE, type Output, outputOf, SSH_OPTIONS } from './host/ssh.ts';
import type { Hosts } from './hosts.ts';
import { freePorts, until } from './wait.ts';

export interface GuestHost extends Hosts {
  /** Reboots the host as its operator does, into this kernel. */
  reboot(kernel: GuestKernel): Promise<void>;
}

const ROOT = join(HOST_CACHE, 'guest');
/** In QEMU's own network. */
const MACHINE = '10.0.2.2';
const BOOT_MS = 600_000;
/** For disk, file system and network; what they depend on comes with them. ext4 asks for the checksum by another name. */
const MODULES = ['virtio_pci', 'virtio_blk', 'virtio_net', 'crc32c_generic', 'ext4'];
const MOUNT_POINTS = ['/proc', '/sys', '/dev', '/host', '/sbin', '/usr/bin', '/usr/sbin'];

/** Why this machine cannot have such a host, in one line; null when it can. */
export function whyNoGuestHost(): string | null {
  if (process.getuid?.() !== 0) return 'needs root to make the disk of a host';
  if (!existsSync(ROOT)) return 'no root of a guest: run scripts/make-guest-root.sh';
  return guestUnavailable('6.1') ?? guestUnavailable('6.12') ?? null;
}

/** What brings the host's systemd up: it belongs to the kernel, not to the host. Gives its path. */
function makeInitramfs(directory: string, name: string, kernel: GuestKernel): string {
  const path = join(directory, `initramfs-${kernel}`);
  const modules = join('lib/modules', releaseOf(kernel));
  const { load, files } = resolveModules(join(guestKernelRoot(kernel), modules), MODULES);
  const content = new Map([
    ['/init', { host: join(import.meta.dirname, 'guest-host/init') }],
    ['/bin/busybox', { host: '/usr/bin/busybox' }],
    ['/etc/modules', { text: load.join(' ') }],
    ['/etc/hostname', { text: name }],
    ...files.map(
      (file) => [`/${modules}/${file}`, { host: join(guestKernelRoot(kernel), modules, file) }] as const,
    ),
  ]);
  writeInitramfs(path, content, MOUNT_POINTS);
  return path;
}

/** Starts the host and resolves when it takes ssh and all its units have started. */
export async function startGuestHost(name: string, firstKernel: GuestKernel): Promise<GuestHost> {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-guest-host-'));
  const disk = join(directory, 'disk');
  const console = join(directory, 'console');
  execFileSync('mke2fs', ['-q', '-t', 'ext4', '-d', ROOT, disk, '6G']);
  const [port = 0] = await freePorts(1);
  let kernel = firstKernel;
  let machine: ChildProcess | null = null;

  const isOff = () => machine === null || hasEnded(machine);
  const attempt = (script: string): Promise<Output> =>
    attemptOver(`${SSH_OPTIONS} -o ConnectTimeout=10 -p ${port} root@127.0.0.1`, script);
  const kill = async () => {
    if (isOff()) return;
    machine?.kill('SIGKILL');
    await until(isOff, `${name} to be off`);
  };
  const powerOn = async () => {
    const speed = await counterSpeed();
    // Ends with the process that started it, however that ends.
    machine = spawn(
      'setpriv',
      [
        ...['--pdeathsig', 'KILL', 'qemu-system-x86_64'],
        // In turn: see `emulation` in guest.ts.
        ...['-accel', 'tcg,thread=single', '-smp', '2', '-cpu', 'max', '-m', '2048'],
        ...['-nodefaults', '-display', 'none', '-serial', `file:${console}`, '-no-reboot'],
        ...['-kernel', join(guestKernelRoot(kernel), `boot/vmlinuz-${releaseOf(kernel)}`)],
        ...['-initrd', makeInitramfs(directory, name, kernel)],
        ...['-append', `${commandLine} net.ifnames=0 ${speed}`],
        ...['-drive', `file=${disk},format=raw,if=virtio,cache=unsafe`],
        ...['-netdev', `user,id=net,hostfwd=tcp:127.0.0.1:${port}-:22`],
        ...['-device', 'virtio-net-pci,netdev=net,romfile='],
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    await once(machine, 'spawn');
  };
  const boot = async () => {
    await powerOn();
    const isUp = async () => {
      if (isOff()) throw new Error(`${name} has switched itself off`);
      return (await attempt('systemctl is-system-running --wait')).code === 0;
    };
    try {
      await until(isUp, `${name} to boot`, { deadlineMs: BOOT_MS, pauseMs: 500 });
    } catch (error) {
      throw new Error(`${name} did not boot; its console:\n${readFileSync(console, 'utf8')}`, {
        cause: error,
      });
    }
  };
  const close = async () => {
    await kill();
    rmSync(directory, { recursive: true, force: true });
  };

  try {
    await boot();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    address: MACHINE,
    attempt: (_, script) => attempt(script),
    run: async (_, script) => outputOf(name, script, await attempt(script)),
    variables: () => ({
      ansible_host: '127.0.0.1',
      ansible_port: String(port),
      ansible_user: 'root',
      ansible_ssh_common_args: SSH_OPTIONS,
    }),
    instance: () => 'ktc',
    kill,
    boot,
    async reboot(next) {
      // The connection ends before the answer has come.
      await attempt('systemctl reboot');
      await until(isOff, `${name} to shut down`);
      kernel = next;
      await boot();
    },
    close,
  };
}
