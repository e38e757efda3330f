/** The RPM and the Debian package on hosts with a real systemd: installed, started, watched, upgraded, taken back, removed. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Hosts, startHosts, whyNoHosts } from '../support/hosts.ts';
import { buildEl7Base, fileIn, NEXT, noPackagesReason, packagesOf, VERSION } from '../support/packages.ts';
import { until } from '../support/wait.ts';

const missing = noPackagesReason ?? whyNoHosts();
if (missing) console.warn(`skipped: the packages as services: ${missing}`);

interface Kind {
  /** The name of the host. */
  readonly host: 'rpm' | 'deb';
  /** The directory of the operator's switches. */
  readonly switches: string;
  readonly install: (file: string) => string;
  /** Also to a lower version: the command of a rollback. */
  readonly change: (file: string) => string;
  readonly remove: string;
  /** Prints each file whose bytes, mode or owner is not that of the package. */
  readonly verify: string;
}

/** The very commands of EL7, on a Debian root with a database of rpm that knows what EL7 has. */
const RPM: Kind = {
  host: 'rpm',
  switches: '/etc/sysconfig',
  install: (file) => `rpm --upgrade ${file}`,
  change: (file) => `rpm --upgrade --oldpackage ${file}`,
  remove: 'rpm --erase ktc-agent',
  verify: 'rpm --verify ktc-agent',
};

const DEB: Kind = {
  host: 'deb',
  switches: '/etc/default',
  install: (file) => `dpkg --install ${file}`,
  change: (file) => `dpkg --install ${file}`,
  remove: 'dpkg --remove ktc-agent',
  verify: 'dpkg --verify ktc-agent',
};

describe.skipIf(missing)('the agent as a service', () => {
  const work = mkdtempSync(join(tmpdir(), 'ktc-el7-'));
  let hosts: Hosts;
  /** File names in /root of the hosts, by version. */
  const files: Record<string, { rpm: string; deb: string }> = {};

  beforeAll(async () => {
    hosts = await startHosts([
      { name: 'rpm', suite: 'bullseye' },
      { name: 'deb', suite: 'bookworm' },
    ]);
    for (const version of [VERSION, NEXT]) {
      const packages = packagesOf(version);
      const [rpm, deb] = [fileIn(packages, '.rpm'), fileIn(packages, '.deb')];
      copyTo('rpm', rpm);
      copyTo('deb', deb);
      files[version] = { rpm: basename(rpm), deb: basename(deb) };
    }
    copyTo('rpm', buildEl7Base(work));
    await hosts.run('rpm', 'rpm --upgrade /root/el7-base-*.rpm');
  });
  afterAll(async () => {
    await hosts?.close();
    rmSync(work, { recursive: true, force: true });
  });

  function copyTo(name: string, file: string): void {
    const options = hosts.variables(name)['ansible_ssh_common_args'];
    const { status, stderr } = spawnSync('sh', ['-c', `scp -q ${options} ${file} root@${name}:/root/`], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`scp to ${name}: ${stderr}`);
  }

  const fileOf = ({ host }: Kind, version: string) => `/root/${files[version]?.[host]}`;
  const property = async ({ host }: Kind, name: string) =>
    (await hosts.run(host, `systemctl show --property ${name} ktc-agent`)).trim().replace(/^\w+=/, '');

  /** What an upgrade must leave as it was. */
  async function stateOf(kind: Kind): Promise<{ enabled: string; active: string; pid: string }> {
    const asked = async (verb: string) =>
      (await hosts.attempt(kind.host, `systemctl ${verb} ktc-agent`)).stdout.trim();
    return {
      enabled: await asked('is-enabled'),
      active: await asked('is-active'),
      pid: await property(kind, 'MainPID'),
    };
  }

  async function configure(kind: Kind, more: object = {}): Promise<void> {
    const config = {
      source: { kind: 'tracepoints', instance: hosts.instance(kind.host), buffer_kb: 512 },
      process: { user: 'ktc' },
      spool: { enabled: true },
      sink: {
        file: { enabled: true, path: '/var/log/ktc/events.ndjson', max_bytes: 10_000_000, max_files: 2 },
      },
      ...more,
    };
    await hosts.run(kind.host, `cat > /etc/ktc/agent.json <<'END'\n${JSON.stringify(config)}\nEND`);
  }

  const journal = (kind: Kind) => hosts.run(kind.host, 'journalctl --unit ktc-agent --output cat --no-pager');
  /** The version that the running program says of itself. */
  const runningVersion = async ({ host }: Kind) => {
    const script = `exec 3<>/dev/tcp/127.0.0.1/9474; printf 'GET /status HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3`;
    const answer = await hosts.run(host, script);
    return (JSON.parse(answer.slice(answer.indexOf('{'))) as { version: string }).version;
  };

  describe.each([RPM, DEB])('from the package for $host', (kind) => {
    const run = (script: string) => hosts.run(kind.host, script);

    it('is installed with its user, and neither enabled nor started', async () => {
      await run(kind.install(fileOf(kind, VERSION)));
      expect(await stateOf(kind)).toEqual({ enabled: 'disabled', active: 'inactive', pid: '0' });
      expect(await run(kind.verify)).toBe('');
      expect(await run('ktc --version')).toBe(`${VERSION}\n`);
      expect(await run('getent passwd ktc')).toMatch(
        /^ktc:x:\d+:\d+:KTC agent:\/var\/lib\/ktc:\S*\/nologin$/m,
      );
      const paths =
        '/etc/ktc /etc/ktc/agent.json /etc/ktc/conf.d /var/lib/ktc /var/lib/ktc/spool /var/log/ktc';
      expect((await run(`stat --format '%a %U:%G %n' ${paths}`)).trimEnd().split('\n')).toEqual([
        '750 root:ktc /etc/ktc',
        '640 root:ktc /etc/ktc/agent.json',
        '750 root:ktc /etc/ktc/conf.d',
        '750 ktc:ktc /var/lib/ktc',
        '700 ktc:ktc /var/lib/ktc/spool',
        '750 ktc:ktc /var/log/ktc',
      ]);
    });

    it('starts, is ready when its source is open, and runs as its user with the limits of its unit', async () => {
      await configure(kind);
      // Type=notify: this command ends well only when READY=1 has come from the main process.
      await run('systemctl enable ktc-agent && systemctl start ktc-agent');
      const { active, pid } = await stateOf(kind);
      expect(active).toBe('active');
      expect(await property(kind, 'Result')).toBe('success');
      expect(await run(`readlink /proc/${pid}/exe`)).toBe('/usr/lib/ktc-agent/node\n');
      const status = await run(`cat /proc/${pid}/status /proc/${pid}/limits; id -u ktc`);
      const uid = status.trimEnd().split('\n').at(-1);
      expect(status).toMatch(new RegExp(`^Uid:(\\s+${uid}){4}$`, 'm'));
      expect(status).toMatch(/^CapEff:\s+0+$/m);
      expect(status).toMatch(/^Max core file size\s+1\s+1\s+bytes/m);
      // Nothing that speaks for the service is left to its children.
      const children = await run(
        `for child in $(pgrep --parent ${pid}); do tr '\\0' '\\n' < /proc/$child/environ; done`,
      );
      expect(children).toMatch(/^PATH=/m);
      expect(children).not.toMatch(/^(NOTIFY|WATCHDOG|LD_)/m);
      await run('exec 3<>/dev/tcp/127.0.0.1/22');
      const lines = async () => (await hosts.attempt(kind.host, 'wc -l < /var/log/ktc/events.ndjson')).stdout;
      await until(async () => Number(await lines()) > 0, 'events in the file');
      expect(await run('systemctl show --property ActiveState ktc-module')).toBe('ActiveState=active\n');
    });

    it('takes a changed configuration by a reload, and refuses a wrong one with its place', async () => {
      const { pid } = await stateOf(kind);
      await configure(kind, { log: { level: 'debug' } });
      await run('systemctl reload ktc-agent');
      await until(async () => (await journal(kind)).includes('the configuration was reloaded'), 'the reload');
      await configure(kind, { log: { level: 'loud' } });
      const refused = await hosts.attempt(kind.host, 'systemctl reload ktc-agent');
      expect(refused.code).not.toBe(0);
      expect(await journal(kind)).toMatch(/\/etc\/ktc\/agent\.json.*log\.level/);
      await configure(kind);
      expect(await stateOf(kind)).toEqual({ enabled: 'enabled', active: 'active', pid });
    });

    it.each([
      ['enabled and running', NEXT, 'enable', 'start'],
      ['enabled and stopped', VERSION, 'enable', 'stop'],
      ['disabled and running', NEXT, 'disable', 'start'],
      ['disabled and stopped', VERSION, 'disable', 'stop'],
      ['masked', NEXT, 'mask', 'stop'],
    ])('a change of the version leaves it %s (to %s)', async (_, version, enable, start) => {
      await run(`systemctl ${start} ktc-agent; systemctl ${enable} ktc-agent 2>/dev/null`);
      const config = await run('cat /etc/ktc/agent.json');
      const before = await stateOf(kind);
      await run(kind.change(fileOf(kind, version)));
      const after = await stateOf(kind);
      expect({ ...after, pid: '' }).toEqual({ ...before, pid: '' });
      expect(await run('ktc --version')).toBe(`${version}\n`);
      expect(await run('cat /etc/ktc/agent.json')).toBe(config);
      if (start === 'start') {
        expect(after.pid).not.toBe(before.pid);
        expect(await runningVersion(kind)).toBe(version);
      }
      await run('systemctl unmask ktc-agent 2>/dev/null');
    });

    it('an operator refuses the restart', async () => {
      await run('systemctl start ktc-agent');
      await run(`sed -i 's/^RESTART_ON_UPGRADE=yes/RESTART_ON_UPGRADE=no/' ${kind.switches}/ktc-agent`);
      const before = await stateOf(kind);
      await run(kind.change(fileOf(kind, VERSION)));
      expect(await stateOf(kind)).toEqual(before);
      expect(await runningVersion(kind)).toBe(NEXT);
      // The switch is a configuration file too, and is kept.
      expect(await run(`grep ^RESTART ${kind.switches}/ktc-agent`)).toBe('RESTART_ON_UPGRADE=no\n');
    });

    it('the watchdog ends one that does not move, and systemd starts another', async () => {
      const dropIn = '/etc/systemd/system/ktc-agent.service.d';
      await run(
        `mkdir -p ${dropIn}; printf '[Service]\\nWatchdogSec=10\\nRestartSec=1\\n' > ${dropIn}/99-test.conf`,
      );
      await run('systemctl daemon-reload && systemctl restart ktc-agent');
      const { pid } = await stateOf(kind);
      await run(`kill -STOP ${pid}`);
      await until(async () => {
        const state = await stateOf(kind);
        return state.active === 'active' && state.pid !== pid && state.pid !== '0';
      }, 'another agent');
      expect(await run('journalctl --unit ktc-agent --no-pager')).toMatch(/[Ww]atchdog timeout/);
      await run(`rm -r ${dropIn}; systemctl daemon-reload; systemctl stop ktc-agent`);
      expect(await property(kind, 'Result')).toBe('success');
    });

    it('its units have no mistake that systemd-analyze finds', async () => {
      const units = '/usr/lib/systemd/system/ktc-agent.service /usr/lib/systemd/system/ktc-module.service';
      const { code, stdout, stderr } = await hosts.attempt(kind.host, `systemd-analyze verify ${units}`);
      // The drop-in for 219 has a key that newer ones have another name for.
      const said = `${stdout}${stderr}`
        .split('\n')
        .filter((line) => line !== '' && !/MemoryLimit=/.test(line));
      expect([code, said]).toEqual([0, []]);
    });

    it('is removed with its units, and leaves its user and the events that it has kept', async () => {
      await run('systemctl enable ktc-agent 2>/dev/null; systemctl start ktc-agent');
      await run(kind.remove);
      expect((await hosts.attempt(kind.host, 'pgrep --full ktc.cjs')).code).toBe(1);
      const left =
        'ls -d /usr/bin/ktc /usr/lib/ktc-agent /usr/lib/systemd/system/ktc-* /etc/systemd/system/*/ktc-*';
      expect((await hosts.attempt(kind.host, left)).stdout).toBe('');
      expect(await run('ls -d /var/lib/ktc/spool; id -un ktc')).toBe('/var/lib/ktc/spool\nktc\n');
      expect(
        (await hosts.attempt(kind.host, `ls /sys/kernel/tracing/instances/${hosts.instance(kind.host)}`))
          .code,
      ).not.toBe(0);
    });
  });
});
