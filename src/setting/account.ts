/** Users and groups by name or number, as this host knows them. */
import { spawnSync } from 'node:child_process';
import { userInfo } from 'node:os';
import { type Result, refusal, success } from '../shared/result.ts';

export interface Account {
  readonly user: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * The fields of one entry; null when there is none, and refused where nobody can tell. getent also asks directories
 * (sssd, LDAP) where the host has them.
 */
function lookUp(database: 'passwd' | 'group', key: string): Result<string[] | null> {
  const { error, status, stdout } = spawnSync('getent', [database, key], { encoding: 'utf8' });
  if (error !== undefined) {
    return refusal(`cannot look up ${key}, as getent does not run (${error.message}): is it in PATH?`);
  }
  return success(status === 0 ? stdout.trim().split(':') : null);
}

/** The name of this process's user; its number where this host has no name for it, as often in containers. */
export function ownName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.geteuid?.());
  }
}

/** Looks up `process.user` and `process.group`; an empty group is the primary group of the user. */
export function findAccount(user: string, group: string): Result<Account> {
  const userEntry = lookUp('passwd', user);
  if (!userEntry.ok) return refusal(`process.user: ${userEntry.problem}`);
  if (userEntry.value === null) {
    const remedy = `make it (useradd --system --shell /sbin/nologin ${user}), or set "" to stay root`;
    return refusal(`process.user: this host has no user ${user}: ${remedy}`);
  }
  const [name = user, , uid, ownGid] = userEntry.value;
  if (group === '') return success({ user: name, uid: Number(uid), gid: Number(ownGid) });
  const groupEntry = lookUp('group', group);
  if (!groupEntry.ok) return refusal(`process.group: ${groupEntry.problem}`);
  if (groupEntry.value === null) {
    const remedy = `make it (groupadd --system ${group}), or set "" for that of the user`;
    return refusal(`process.group: this host has no group ${group}: ${remedy}`);
  }
  return success({ user: name, uid: Number(uid), gid: Number(groupEntry.value[2]) });
}
