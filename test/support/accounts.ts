/** Users that exist for one process tree only: its own /etc/passwd and /etc/group, in a mount namespace. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Far from what a distribution gives out. */
export const ACCOUNT = { user: 'ktc-test-agent', uid: 47_110, gid: 47_111, supplementary: 47_112 } as const;

/** The beginning of a command line that runs the rest of it where the account exists. Files go below `directory`. */
export function withAccount(directory: string): string[] {
  const { user, uid, gid, supplementary } = ACCOUNT;
  const lines = {
    passwd: [`${user}:x:${uid}:${gid}::/nonexistent:/usr/sbin/nologin`],
    group: [`${user}:x:${gid}:`, `ktc-test-readers:x:${supplementary}:daemon,${user}`],
  };
  const files = Object.entries(lines).map(([name, more]) => {
    const file = join(directory, name);
    writeFileSync(file, [readFileSync(`/etc/${name}`, 'utf8').trimEnd(), ...more, ''].join('\n'), {
      mode: 0o644,
    });
    return file;
  });
  const script = 'mount --bind "$1" /etc/passwd; mount --bind "$2" /etc/group; shift 2; exec "$@"';
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-ec', script, 'sh', ...files];
}
