/** Users and groups by name or number, as this host knows them. */
import { spawnSync } from 'node:child_process';
import { type Result, refusal, success } from '../shared/result.ts';

export interface Account {
  readonly user: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * The fields of one entry; null when there is none. getent also asks directories (sssd, LDAP) where the host has
 * them.
 */
function lookUp(database: 'passwd' | 'group', key: string): string[] | null {
  const { status, stdout } = spawnSync('getent', [database, key], { encoding: 'utf8' });
  return status === 0 ? stdout.trim().split(':') : null;
}

/** Looks up `process.user` and `process.group`; an empty group is the primary group of the user. */
export function findAccount(user: string, group: string): Result<Account> {
  const userEntry = lookUp('passwd', user);
  if (userEntry === null) {
    const remedy = `make it (useradd --system --shell /sbin/nologin ${user}), or set "" to stay root`;
    return refusal(`process.user: this host has no user ${user}: ${remedy}`);
  }
  const [name = user, , uid, ownGid] = userEntry;
  if (group === '') return success({ user: name, uid: Number(uid), gid: Number(ownGid) });
  const groupEntry = lookUp('group', group);
  if (groupEntry === null) {
    const remedy = `make it (groupadd --system ${group}), or set "" for that of the user`;
    return refusal(`process.group: this host has no group ${group}: ${remedy}`);
  }
  return success({ user: name, uid: Number(uid), gid: Number(groupEntry[2]) });
}
