/**
 * Hosts without guests: Debian roots, each with systemd as PID 1, sshd and namespaces of its own, on this machine's
 * kernel. A host costs half a second and 20 MB.
 *
 *     const hosts = await startHosts([{ name: 'web1', suite: 'bullseye' }]);
 *     await hosts.run('web1', 'systemctl is-system-running');
 *     hosts.address                                      // this machine, as the hosts see it: a place for servers
 *     hosts.variables('web1')                            // how Ansible reaches it
 *     await hosts.close();                               // also happens when this process ends, however it ends
 */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ownedName } from '../../src/demo/namespaces.ts';
import { hasErrorCode } from '../../src/shared/errors.ts';
import { hasEnded } from './children.ts';
import { attemptOver, HOST_CACHE, type Output, outputOf, SSH_OPTIONS } from './host/ssh.ts';
import { until } from './wait.ts';

const execute = promisify(execFile);

/** bullseye has Python 2.7 and no other, as EL7; bookworm has Python 3. */
export type Suite = 'bullseye' | 'bookworm';

export interface HostOptions {
  readonly name: string;
  readonly suite: Suite;
}

export interface Hosts {
  /** IPv4 address of this machine on the hosts' network. */
  readonly address: string;
  /** Runs a shell script on a host over ssh, as root; throws unless it ends with 0. Returns what it printed. */
  run(name: string, script: string): Promise<string>;
  /** The same for a script that may fail. */
  attempt(name: string, script: string): Promise<Output>;
  /** Host variables with which Ansible reaches it. */
  variables(name: string): Readonly<Record<string, string>>;
  /** Name of the ftrace instance that this host may use: all hosts share one kernel. */
  instance(name: string): string;
  /** Kills the host at once: it is unreachable from then on. */
  kill(name: string): Promise<void>;
  /** Boots a killed host again, with its files. */
  boot(name: string): Promise<void>;
  close(): Promise<void>;
}

/** Waits until this version of the agent runs, whether or not its sink is connected, which comes up to some seconds later. */
export function untilRuns({ attempt }: Pick<Hosts, 'attempt'>, name: string, version: string): Promise<void> {
  return until(
    async () => (await attempt(name, 'ktc status')).stdout.includes(`ktc ${version} on `),
    `${version} on ${name}`,
  );
}

/** Why this machine cannot have hosts, in one line; null when it can. */
export function whyNoHosts(): string | null {
  if (process.getuid?.() !== 0) return 'needs root to make hosts';
  if (!existsSync('/sys/kernel/tracing/instances')) return 'needs tracefs on /sys/kernel/tracing';
  for (const suite of ['bullseye', 'bookworm']) {
    if (!existsSync(join(HOST_CACHE, suite)))
      return `no root of Debian ${suite}: run scripts/install-test-dependencies.sh`;
  }
  return null;
}

/** Starts the hosts side by side and resolves when all of them take ssh. */
export async function startHosts(options: readonly HostOptions[]): Promise<Hosts> {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-hosts-'));
  const bridge = `ktcbr${process.pid}`;
  // A network for each test file: the ids of two that run side by side differ in their last 11 bits.
  const subnet = `10.${208 + ((process.pid >> 8) % 8)}.${process.pid % 256}`;
  const namespaces = new Map<string, string>();
  for (const { name } of options) namespaces.set(name, `${await ownedName('host')}-a`);
  const namespaceOf = (name: string) => {
    const namespace = namespaces.get(name);
    if (namespace === undefined) throw new Error(`no host is named ${name}`);
    return namespace;
  };
  const directoryOf = (name: string) => join(directory, namespaceOf(name));
  for (const { name } of options) mkdirSync(directoryOf(name));

  // In a process group of its own, so that a Ctrl-C in the terminal does not reach it.
  const keeper = spawn(
    join(import.meta.dirname, 'host/keeper.sh'),
    [directory, bridge, ...namespaces.values()],
    {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    },
  );
  const close = async () => {
    if (hasEnded(keeper)) return;
    const ended = once(keeper, 'close');
    keeper.stdin.end();
    await ended;
  };

  const ip = (...words: string[]) => execute('ip', words);
  const connect = async (name: string, ordinal: number) => {
    const namespace = namespaceOf(name);
    const device = `ktch${process.pid}-${ordinal}`;
    await ip('netns', 'add', namespace);
    await ip('link', 'add', device, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
    await ip('link', 'set', device, 'master', bridge, 'up');
    await ip('-n', namespace, 'link', 'set', 'lo', 'up');
    await ip('-n', namespace, 'address', 'add', `${subnet}.${ordinal + 2}/24`, 'dev', 'eth0');
    await ip('-n', namespace, 'link', 'set', 'eth0', 'up');
  };
  const boot = async (name: string) => {
    const suite = options.find((host) => host.name === name)?.suite ?? 'bullseye';
    const console = openSync(join(directoryOf(name), 'console.log'), 'a');
    spawn(
      join(import.meta.dirname, 'host/boot.sh'),
      [namespaceOf(name), join(HOST_CACHE, suite), directoryOf(name), name],
      { detached: true, stdio: ['ignore', console, console] },
    ).unref();
    await until(
      async () => (await attempt(name, 'systemctl is-system-running --wait')).code === 0,
      `${name} to boot`,
    );
  };

  const sshArguments = (name: string) =>
    `${SSH_OPTIONS} -o ProxyCommand="ip netns exec ${namespaceOf(name)} nc 127.0.0.1 22"`;
  const attempt = (name: string, script: string) => attemptOver(`${sshArguments(name)} root@${name}`, script);

  try {
    await ip('link', 'add', bridge, 'type', 'bridge');
    await ip('address', 'add', `${subnet}.1/24`, 'dev', bridge);
    await ip('link', 'set', bridge, 'up');
    for (const [ordinal, { name }] of options.entries()) await connect(name, ordinal);
    await Promise.all(options.map(({ name }) => boot(name)));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    address: `${subnet}.1`,
    attempt,
    run: async (name, script) => outputOf(name, script, await attempt(name, script)),
    variables: (name) => ({
      // Its own name: hosts with one address would share ssh's control socket, and get each other's tasks.
      ansible_host: name,
      ansible_user: 'root',
      ansible_ssh_common_args: sshArguments(name),
    }),
    instance: namespaceOf,
    async kill(name) {
      const pids = () =>
        execFileSync('ip', ['netns', 'pids', namespaceOf(name)], { encoding: 'utf8' }).split('\n');
      for (const pid of pids()) if (pid !== '') killIfThere(Number(pid));
      await until(() => pids().join('') === '', `${name} to be gone`);
    },
    boot,
    close,
  };
}

/** The end of a host's PID 1 takes its other processes with it, also between two of these calls. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasErrorCode(error, 'ESRCH')) throw error;
  }
}
