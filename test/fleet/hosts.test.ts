/** The hosts of these tests: real ones, and gone without a trace however their test ends. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startHosts, whyNoHosts } from '../support/hosts.ts';
import { until } from '../support/wait.ts';

const missing = whyNoHosts();
if (missing) console.warn(`skipped: hosts: ${missing}`);

const HOSTS = join(import.meta.dirname, '../support/hosts.ts');

describe.skipIf(missing)('hosts', () => {
  it('have systemd as PID 1, names and addresses of their own, and the old one has no Python 3', async () => {
    const hosts = await startHosts([
      { name: 'old', suite: 'bullseye' },
      { name: 'new', suite: 'bookworm' },
    ]);
    try {
      const facts = async (name: string) =>
        (
          await hosts.run(name, 'cat /proc/1/comm; hostname; ip -4 -o address show dev eth0; ls /usr/bin')
        ).split('\n');
      const [oldHost, newHost] = [await facts('old'), await facts('new')];
      expect(oldHost.slice(0, 2)).toEqual(['systemd', 'old']);
      expect(newHost.slice(0, 2)).toEqual(['systemd', 'new']);
      expect(oldHost[2]).not.toBe(newHost[2]);
      expect(oldHost).toContain('python2.7');
      expect(oldHost).not.toContain('python3');
      expect(newHost).toContain('python3');

      await hosts.run('new', 'touch /root/mark && sync');
      await hosts.kill('new');
      expect((await hosts.attempt('new', 'true')).code).toBe(255);
      await hosts.boot('new');
      await hosts.run('new', 'test -e /root/mark');
    } finally {
      await hosts.close();
    }
  });

  it('are gone when the test run is killed', async () => {
    const script = `import { startHosts } from '${HOSTS}';
      const hosts = await startHosts([{ name: 'web1', suite: 'bullseye' }]);
      console.log(hosts.instance('web1'));
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [output] = (await once(child.stdout, 'data')) as [Buffer];
    const name = output.toString().trim();
    const left = () => [
      ...globSync([`/run/netns/${name}`, `/tmp/ktc-hosts-*/${name}`, `/sys/class/net/ktcbr${child.pid}`]),
      ...globSync(`/sys/fs/cgroup/**/${name}`),
    ];
    expect(existsSync(`/run/netns/${name}`)).toBe(true);
    expect(left().length).toBeGreaterThan(3);
    child.kill('SIGKILL');
    await until(() => left().length === 0, 'everything of the host to be gone');
  });
});
