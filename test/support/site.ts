/** A controller with Ansible, this checkout's collection, packages, and the hosts of test/support/hosts.ts. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { type HostOptions, type Hosts, startHosts, whyNoHosts } from './hosts.ts';
import { packagesOf } from './packages.ts';

const REPOSITORY = join(import.meta.dirname, '../..');
/** Where Ansible is: the version for hosts with Python 2.7, and a newer one for others. */
export const PROGRAMS = join(REPOSITORY, '.cache/ansible/venv/bin');
export const NEWER_PROGRAMS = join(REPOSITORY, '.cache/ansible-newer/venv/bin');

export type PackageFormat = 'tarball' | 'rpm' | 'deb';

export interface SiteHost extends HostOptions {
  /** Its groups, beside `ktc_agents`. */
  readonly groups: readonly string[];
  /** What the agent is installed from; the tarball when absent. */
  readonly package?: PackageFormat;
}

export interface SiteOptions {
  readonly hosts: readonly SiteHost[];
  /** Versions of the package on the controller. */
  readonly versions: readonly string[];
  /** Starts the hosts; `startHosts` when absent. */
  readonly start?: (hosts: readonly HostOptions[]) => Promise<Hosts>;
}

export interface Run {
  readonly code: number;
  /** Everything that Ansible printed. */
  readonly output: string;
  /** By host, how many tasks changed something; -1 for one that failed or was not reached. */
  readonly changed: Readonly<Record<string, number>>;
}

export interface Playing {
  readonly done: Promise<Run>;
  /** Kills the controller and all that it has started, at once. */
  kill(): void;
}

export interface Site {
  /** Directory of the packages on the controller. */
  readonly packages: string;
  /** Directory of what roll-outs remember. */
  readonly state: string;
  readonly hosts: Hosts;
  /** Of the inventory; a change holds from the next playbook on. */
  readonly groupVariables: Record<string, Record<string, unknown>>;
  readonly hostVariables: Record<string, Record<string, unknown>>;
  /** Where the Ansible is that plays; another one may be set. */
  programs: string;
  /** Runs a playbook of the collection, such as `install`, with further words of ansible-playbook. */
  play(playbook: string, ...words: readonly string[]): Promise<Run>;
  /** The same without waiting for its end. */
  start(playbook: string, ...words: readonly string[]): Playing;
  close(): Promise<void>;
}

/** Why this machine cannot have a site, in one line; null when it can. */
export function whyNoSite(): string | null {
  if (![PROGRAMS, NEWER_PROGRAMS].every((programs) => existsSync(join(programs, 'ansible-playbook'))))
    return 'no Ansible: run scripts/install-test-dependencies.sh';
  return whyNoHosts();
}

/**
 * What the agents of a site trace: connections to one port, so that the rest of this machine, whose kernel they all
 * share, is none of theirs.
 */
export function traceOnly(port: number): object {
  const probes = ['tcp_retransmit_skb', 'tcp_send_reset', 'tcp_receive_reset', 'tcp_retransmit_synack'];
  return {
    kind: 'tracepoints',
    probes: {
      tcp_set_state: { filter: `dport == ${port}` },
      ...Object.fromEntries(probes.map((probe) => [probe, { enabled: false }])),
    },
  };
}

/** The words of `ktc_agent_gate_reader`: how the controller reads a topic. */
export const gateReader = (broker: string, topic: string): string[] => [
  ...['kcat', '-b', broker, '-C', '-t', topic, '-o', 's@{since_ms}', '-e', '-q'],
];

/** Waits for the end of a child. Gives its exit code, -1 where a signal ended it, and all that it has printed. */
export async function endOf(
  child: ChildProcessByStdio<null, Readable, Readable>,
): Promise<{ readonly code: number; readonly output: string }> {
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  await once(child, 'close');
  return { code: child.exitCode ?? -1, output };
}

export async function openSite(options: SiteOptions): Promise<Site> {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-site-'));
  const collection = join(directory, 'collections/ansible_collections/ktc');
  mkdirSync(collection, { recursive: true });
  symlinkSync(join(REPOSITORY, 'ansible'), join(collection, 'agent'));
  const packages = join(directory, 'packages');
  mkdirSync(packages);
  for (const version of options.versions) {
    const built = packagesOf(version);
    // Links, because they are large.
    for (const name of readdirSync(built).filter((file) => file.startsWith('ktc-agent')))
      symlinkSync(join(built, name), join(packages, name));
  }
  const hosts = await (options.start ?? startHosts)(options.hosts);
  const state = join(directory, 'state');

  const groupVariables: Site['groupVariables'] = {
    all: {
      ktc_agent_package_directory: packages,
      ktc_agent_require_clock_sync: false,
      ktc_agent_rollout_state: state,
    },
  };
  const hostVariables: Site['hostVariables'] = {};
  for (const { name, suite, package: format = 'tarball' } of options.hosts) {
    hostVariables[name] = {
      ...hosts.variables(name),
      ktc_agent_package: format,
      ansible_python_interpreter: suite === 'bullseye' ? '/usr/bin/python2.7' : '/usr/bin/python3',
      ktc_agent_config__host: { source: { instance: hosts.instance(name) } },
    };
  }

  const writeInventory = (file: string) => {
    const groups = new Map<string, Record<string, object>>();
    for (const host of options.hosts) {
      for (const group of host.groups) groups.set(group, { ...groups.get(group), [host.name]: {} });
    }
    const children = [...groups].map(([group, members]) => [
      group,
      { hosts: members, vars: groupVariables[group] ?? {} },
    ]);
    const agents = { hosts: hostVariables, children: Object.fromEntries(children) };
    const inventory = { all: { vars: groupVariables['all'], children: { ktc_agents: agents } } };
    writeFileSync(file, JSON.stringify(inventory));
  };

  const start = (playbook: string, ...words: readonly string[]): Playing => {
    const inventory = join(directory, 'inventory.json');
    writeInventory(inventory);
    const child = spawn(
      join(site.programs, 'ansible-playbook'),
      ['-i', inventory, `ktc.agent.${playbook}`, ...words],
      {
        cwd: directory,
        env: {
          ...process.env,
          PATH: `${site.programs}:${process.env['PATH']}`,
          ANSIBLE_COLLECTIONS_PATH: join(directory, 'collections'),
          ANSIBLE_HOME: join(directory, 'ansible'),
          // Not in ~/.ansible, where a host of another site with the same name would be taken for this one.
          ANSIBLE_SSH_CONTROL_PATH_DIR: join(directory, 'cp'),
          ANSIBLE_PIPELINING: 'true',
          ANSIBLE_NOCOLOR: 'true',
          ANSIBLE_LOCALHOST_WARNING: 'false',
          // Without the -C of the default: to compress a package again takes 1 to 4 s of processor time per host.
          ANSIBLE_SSH_ARGS: '-o ControlMaster=auto -o ControlPersist=60s',
          ANSIBLE_SSH_RETRIES: '0',
        },
        stdio: ['ignore', 'pipe', 'pipe'],
        // In a process group of its own, with the processes that it forks.
        detached: true,
      },
    );
    return {
      done: endOf(child).then(({ code, output }) => ({ code, output, changed: recap(output) })),
      kill() {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      },
    };
  };

  const site: Site = {
    programs: PROGRAMS,
    packages,
    state,
    hosts,
    groupVariables,
    hostVariables,
    start,
    play: (playbook, ...words) => start(playbook, ...words).done,
    async close() {
      await hosts.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return site;
}

/** `web1 : ok=13 changed=5 unreachable=0 failed=0 …`, at the end of what ansible-playbook prints. */
function recap(output: string): Record<string, number> {
  const lines = output.matchAll(/^(\S+)\s+: ok=\d+\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)/gm);
  return Object.fromEntries(
    [...lines].map(([, host, changed, unreachable, failed]) => [
      host,
      unreachable === '0' && failed === '0' ? Number(changed) : -1,
    ]),
  );
}
