/** From root to an ordinary user, for good. */
import { accessSync, constants, readFileSync } from 'node:fs';
import { type Account, findAccount } from '../config/account.ts';
import { type AgentConfig, isConfigPath, keys, valueAt } from '../config/schema.ts';
import type { Opened } from '../shared/result.ts';

/** Files are the agent's user's to write and its group's to read, whatever each asks for beyond that. */
const UMASK = 0o027;

export function narrowUmask(): void {
  process.umask(UMASK);
}

/**
 * Who this process has to become: null when it stays who it is, because nobody is configured or because only root can
 * become somebody else.
 */
export function accountToBecome({ process: { user, group } }: AgentConfig): Opened<Account | null> {
  if (user === '' || process.geteuid?.() !== 0) return { ok: true, value: null };
  const found = findAccount(user, group);
  if (!found.ok) return found;
  return { ok: true, value: found.account.uid === 0 ? null : found.account };
}

/** Node.js has it, @types/node does not. */
const { initgroups } = process as unknown as { initgroups: (user: string, group: number) => void };

/** Becomes the user, and makes sure that there is no way back. The problem is one line. */
export function dropRoot(account: Account): string | null {
  const { user, uid, gid } = account;
  try {
    // Groups first: without root they could no longer be changed. Then the user, all of its ids at once.
    initgroups(user, gid);
    process.setgid?.(gid);
    process.setuid?.(uid);
  } catch (error) {
    return `cannot become user ${user}: ${(error as Error).message}`;
  }
  const left = leftOfRoot(account);
  return left === null ? null : `became user ${user}, but ${left}: it would not be safe to go on`;
}

function leftOfRoot({ uid, gid }: Account): string | null {
  const status = readFileSync('/proc/self/status', 'utf8');
  const numbers = (name: string) =>
    (new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(status)?.[1] ?? '').split(/\s+/);
  // Real, effective, saved, and that of the file system.
  if (numbers('Uid').some((id) => Number(id) !== uid)) return 'some of its user ids are still others';
  if (numbers('Gid').some((id) => Number(id) !== gid)) return 'some of its group ids are still others';
  // Kept where the service manager has set securebits.
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

/** Becomes the user, who must be able to go on with this configuration. The problem is one line. */
export function becomeUser(account: Account, config: AgentConfig): string | null {
  return dropRoot(account) ?? unreadableAgain(config, account)[0] ?? null;
}

/** Keys whose files are read again at each new connection. */
const READ_AGAIN = /^(sink\.\w+)\.tls\.\w+_file$/;

function isOn(config: AgentConfig, section: string): boolean {
  return [`${section}.enabled`, `${section}.tls.enabled`].every(
    (path) => !isConfigPath(path) || valueAt(config, path) === true,
  );
}

/** Files that were there for root and are not for this user, who needs them again; one line each. */
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
