/**
 * What a controller pays for a host: for the command of an incident (docs/fleet.md), and for a whole run of the role. The
 * many hosts of its inventory are names of a few real ones, each with an sshd of its own.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SSH_OPTIONS } from '../test/support/host/ssh.ts';
import { startHosts } from '../test/support/hosts.ts';
import { VERSION } from '../test/support/packages.ts';
import { endOf, PROGRAMS } from '../test/support/site.ts';
import { type Bench, figure } from './report.ts';

const REPOSITORY = join(import.meta.dirname, '..');
const NAMES = ['one', 'two', 'three'];
const FORKS = 100;
/**
 * As the incident of docs/fleet.md, on hosts without an agent, whose own work is not the controller's. Each run writes a
 * file of its own, because many names are one host.
 */
const LESSEN = `echo '{"limits":{"events_per_second":{"tcp_state":10}}}' | install -m 0644 /dev/stdin /root/98-incident.$$.json && rm /root/98-incident.$$.json`;

interface Cost {
  readonly seconds: number;
  /** Of Ansible, its forks and its ssh, not of the hosts. */
  readonly cpuSeconds: number;
}

/** Runs a program of Ansible, and gives what bash says of its time. */
async function timed(directory: string, words: readonly string[]): Promise<Cost> {
  const script = 'TIMEFORMAT="%R %U %S"; time "$@" >output';
  const child = spawn('bash', ['-euo', 'pipefail', '-c', script, 'bash', ...words], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      PATH: `${PROGRAMS}:${process.env['PATH']}`,
      ANSIBLE_HOME: join(directory, 'home'),
      ANSIBLE_COLLECTIONS_PATH: join(directory, 'collections'),
      ANSIBLE_PIPELINING: 'true',
      // One connection for each host: nothing is won by keeping it, and its keeper would outlive the measurement.
      ANSIBLE_SSH_ARGS: '-o ControlMaster=no',
    },
  });
  const { code, output } = await endOf(child);
  const [, seconds, user, system] = /^(\S+) (\S+) (\S+)$/m.exec(output) ?? [];
  if (code !== 0 || seconds === undefined)
    throw new Error(`${words.join(' ')} ended with ${code}: ${output}`);
  return { seconds: Number(seconds), cpuSeconds: Number(user) + Number(system) };
}

function writeInventory(directory: string, addresses: readonly string[], count: number): void {
  const aliases = Array.from({ length: count }, (_, index) => [
    `host${index + 1}`,
    { ansible_host: addresses[index % addresses.length] },
  ]);
  const vars = {
    ansible_user: 'root',
    // Straight to the address, as a controller reaches its hosts.
    ansible_ssh_common_args: SSH_OPTIONS,
    ansible_python_interpreter: '/usr/bin/python3',
  };
  const inventory = { ktc_agents: { hosts: Object.fromEntries(aliases), vars } };
  writeFileSync(join(directory, 'inventory.json'), JSON.stringify(inventory));
}

export const controller: Bench = async (quick) => {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-controller-'));
  const collections = join(directory, 'collections/ansible_collections/ktc');
  mkdirSync(collections, { recursive: true });
  symlinkSync(join(REPOSITORY, 'ansible'), join(collections, 'agent'));
  const hosts = await startHosts(NAMES.map((name) => ({ name, suite: 'bookworm' })));
  const rows: string[][] = [];
  const addresses: string[] = [];
  const measure = async (what: string, count: number, words: readonly string[]) => {
    writeInventory(directory, addresses, count);
    const cost = await timed(directory, [...words, '-i', 'inventory.json', '-f', String(FORKS)]);
    rows.push([what, String(count), figure(cost.seconds), figure(cost.cpuSeconds / count)]);
  };
  try {
    for (const name of NAMES) addresses.push((await hosts.run(name, 'hostname --all-ip-addresses')).trim());
    const incident = ['ansible', 'ktc_agents', '-b', '-m', 'raw', '-a', LESSEN];
    await measure('the command of an incident: `ansible -m raw`', quick ? 30 : 1_000, incident);
    mkdirSync(join(directory, 'packages'));
    writeFileSync(join(directory, `packages/ktc-agent-${VERSION}-linux-x64.tar.gz`), '');
    const role = [
      'ansible-playbook',
      'ktc.agent.install',
      '--check',
      '-e',
      'ktc_agent_require_clock_sync=false',
    ];
    await measure('the role, in check mode: every task, but no package is brought', quick ? 10 : 200, role);
  } finally {
    await hosts.close();
    rmSync(directory, { recursive: true, force: true });
  }
  return {
    tables: [
      {
        title: 'The controller',
        script: 'bench/controller.ts',
        columns: ['what', 'hosts', 'seconds', 'CPU seconds of the controller per host'],
        rows,
        notes: [
          `With ${FORKS} forks. The hosts are names of ${NAMES.length} real ones on this machine, so the seconds include their sshd, and the CPU seconds do not.`,
        ],
      },
    ],
    bars: [],
  };
};
