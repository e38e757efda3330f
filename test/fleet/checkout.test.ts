/** A checkout on a small host, which has not got everything that the lock file's Node.js needs. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { HOST_CACHE } from '../support/host/ssh.ts';
import { whyNoHosts } from '../support/hosts.ts';

const missing = whyNoHosts();
if (missing) console.warn(`skipped: a checkout without libatomic: ${missing}`);

const ROOT = join(import.meta.dirname, '../..');

it.skipIf(missing)('says in one line what is to be installed', () => {
  const host = join(HOST_CACHE, 'bookworm');
  expect(existsSync(join(host, 'usr/lib/x86_64-linux-gnu/libatomic.so.1'))).toBe(false);
  // Only this process sees the checkout there.
  const script =
    'mount --bind "$1" "$2/mnt"; exec chroot "$2" /mnt/scripts/check-node.sh /mnt/node_modules/.bin/node';
  const unshared = ['--mount', '--propagation', 'private', 'sh', '-ec', script, 'sh', ROOT, host];
  const { status, stdout, stderr } = spawnSync('unshare', unshared, { encoding: 'utf8' });
  expect({ status, stdout, stderr }).toEqual({
    status: 69,
    stdout: '',
    stderr:
      'Node.js needs libatomic.so.1, install it as root: apt-get install libatomic1 (Debian), yum install libatomic (RedHat)\n',
  });
});
