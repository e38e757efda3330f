/** Gives root up and becomes an ordinary user, for good. */
import { accessSync, constants, readFileSync } from 'node:fs';
import { type AgentConfig, isConfigPath, keys, valueAt } from '../config/schema.ts';
import { type Account, findAccount } from '../setting/account.ts';
import { DONE, type Result, refusal, success } from '../shared/result.ts';

/**
 * The user of the agent may write its files, the group may read them, and others may do nothing, whatever mode a file
 * is made with.
 */
const UMASK = 0o027;

export function narrowUmask(): void {
  process.umask(UMASK);
}

/**
 * The user that this process has to become: null when it keeps its user, because none is configured or because it is
 * not root and cannot become another.
 */
export function accountToBecome({ process: { user, group } }: AgentConfig): Result<Account | null> {
  if (user === '' || process.geteuid?.() !== 0) return success(null);
  const found = findAccount(user, group);
  if (!found.ok) return found;
  return success(found.value.uid === 0 ? null : found.value);
}

/** Node.js has this function, @types/node does not. */
const { initgroups } = process as unknown as { initgroups: (user: string, group: number) => void };

/** Becomes the user, and makes sure that there is no way back to root. */
export function dropRoot(account: Account): Result {
  const { user, uid, gid } = account;
  try {
    // Groups first: without root they could no longer be changed. Then the user, all of its ids at once.
    initgroups(user, gid);
    process.setgid?.(gid);
    process.setuid?.(uid);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return refusal(`cannot become user ${user}: ${error.message}`);
  }
  const left = leftOfRoot(account);
  return left === null ? DONE : refusal(`became user ${user}, but ${left}: it would not be safe to go on`);
}

/** What this process still has of root, in words; null for nothing. */
function leftOfRoot({ uid, gid }: Account): string | null {
  const status = readFileSync('/proc/self/status', 'utf8');
  const numbers = (name: string) =>
    (new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(status)?.[1] ?? '').split(/\s+/);
  // The four numbers are the real, the effective, the saved and the file system's id (proc(5)).
  if (numbers('Uid').some((id) => Number(id) !== uid)) return 'some of its user ids are still others';
  if (numbers('Gid').some((id) => Number(id) !== gid)) return 'some of its group ids are still others';
  // Linux keeps capabilities over setuid(2) where the service manager has set securebits (capabilities(7)).
  for (const set of ['CapPrm', 'CapEff', 'CapInh']) {
    if (/[^0]/.test(numbers(set)[0] ?? '')) return `capabilities are left (${set} in /proc/self/status)`;
  }
  try {
    process.setuid?.(0);
  } catch {
    return null;
  }
  return 'could become root again';
}

/** Becomes the user, which must then be able to read what this configuration needs again later. */
export function becomeUser(account: Account, config: AgentConfig): Result {
  const dropped = dropRoot(account);
  if (!dropped.ok) return dropped;
  const [problem] = unreadableAgain(config, account);
  return problem === undefined ? DONE : refusal(problem);
}

/** Keys whose files a sink reads again at each new connection. */
const READ_AGAIN = /^(sink\.\w+)\.tls\.\w+_file$/;

function isOn(config: AgentConfig, section: string): boolean {
  return [`${section}.enabled`, `${section}.tls.enabled`].every(
    (path) => !isConfigPath(path) || valueAt(config, path) === true,
  );
}

/** The files that this user cannot read and needs again later, although root could read them; one line each. */
export function unreadableAgain(config: AgentConfig, { user }: Account): string[] {
  return [...keys.keys()].flatMap((path) => {
    const section = READ_AGAIN.exec(path)?.[1];
    const file = valueAt(config, path);
    if (section === undefined || typeof file !== 'string' || file === '' || !isOn(config, section)) return [];
    try {
      accessSync(file, constants.R_OK);
      return [];
    } catch {
      return [
        `${path}: user ${user} cannot read it, and needs it at each new connection: chown it to ${user}`,
      ];
    }
  });
}
