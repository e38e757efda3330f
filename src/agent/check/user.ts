/** What `ktc check` says about the user that the agent becomes, and about what that user can still do. */
import { accessSync, constants, readFileSync } from 'node:fs';
import type { ConfigResult } from '../../config/load.ts';
import type { AgentConfig } from '../../config/schema.ts';
import { type Account, ownName } from '../../setting/account.ts';
import { accountToBecome, dropRoot, unreadableAgain } from '../privileges.ts';
import { type Finding, failed, ok, warning } from './finding.ts';

/**
 * Becomes the user as the agent would, so that every later check is made as that user. `reread` reads the
 * configuration again, as SIGHUP does; null where there is nothing to read again.
 */
export function checkUser(config: AgentConfig, reread: (() => ConfigResult) | null): Finding[] {
  const becoming = accountToBecome(config);
  if (!becoming.ok) return [failed('user', becoming.problem), coreFiles()];
  const account = becoming.value;
  if (account === null) return [unchangedUser(config), coreFiles()];
  const dropped = dropRoot(account);
  if (!dropped.ok) return [failed('user', dropped.problem), coreFiles()];
  return [
    ok(
      'user',
      `root opens the source, then ${account.user} (uid ${account.uid}, gid ${account.gid}) goes on`,
    ),
    ...unreadableAgain(config, account).map((line) => failed('user', line)),
    ...otherProcesses(account),
    ...reload(reread),
    coreFiles(),
  ];
}

function unchangedUser({ process: { user }, source }: AgentConfig): Finding {
  if (process.geteuid?.() !== 0) return ok('user', `${ownName()}, who has no root to give up`);
  if (user !== '') return ok('user', 'root throughout, as configured');
  if (source.kind === 'replay') return ok('user', 'root, without need: a replay needs none');
  return warning('user', 'root throughout: make a user for the agent and name it as process.user');
}

/** Events contain names of processes, which the mount option `hidepid` of /proc hides from other users. */
function otherProcesses({ user }: Account): Finding[] {
  try {
    accessSync('/proc/1/status', constants.R_OK);
    return [];
  } catch {
    const remedy = `add ${user} to the group of its option gid=`;
    return [
      warning('processes', `/proc hides those of others (hidepid), events will lack their names: ${remedy}`),
    ];
  }
}

function reload(reread: (() => ConfigResult) | null): Finding[] {
  const result = reread?.();
  if (result === undefined) return [];
  if (result.ok) return [ok('reload', 'the user can read what SIGHUP reads again')];
  return [warning('reload', `SIGHUP will be refused: ${result.problem}`)];
}

/** A core file of the agent contains its passwords. */
function coreFiles(): Finding {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const limit = /^Max core file size +(\S+)/m.exec(limits)?.[1] ?? 'unlimited';
  const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim();
  const handler = /^\|(\S+)/.exec(pattern)?.[1];
  // With a limit of 1 byte the kernel runs no program for the core file either (fs/coredump.c).
  if (limit === '1' || (limit === '0' && handler === undefined))
    return ok('core files', 'none: switched off');
  const where = handler === undefined ? 'go into files' : `go to ${handler}, which may ignore a limit of 0`;
  const said = `${where}, and hold passwords: LimitCORE=1 in the unit (prlimit --core=1) ends that`;
  return limit === '0' ? ok('core files', said) : warning('core files', said);
}
