/**
 * Does with an ftrace instance what only root may do, for an agent that has given up root: removes it at the end, and
 * empties its lists of process ids when another program has written into them.
 *
 * Only root may remove a directory of tracefs. If the agent's user owned the `instances` directory, it could also remove
 * the instances of all other tracers. So a shell that stays root waits for words from the agent. It accepts nothing
 * else than these two, its path is fixed when it starts, and it costs the memory of a shell and no CPU.
 */
import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { DONE, type Result, refusal } from '../../shared/result.ts';
import type { Instance } from './instance.ts';
import { PID_LISTS } from './settings.ts';

/**
 * As `removeInstance`: the files that it writes first make the kernel wait for those who still record.
 *
 * If the input ends without the word, the agent was killed: the instance stays, with its records, for the next start.
 * The shell ignores signals that are meant for the agent (Ctrl-C, systemd's SIGTERM to the whole unit).
 */
const SCRIPT = `
trap '' HUP INT QUIT TERM
while read -r word; do
  case $word in
  empty)
    for list in ${PID_LISTS.join(' ')}; do [ ! -e "$1/$list" ] || : > "$1/$list"; done ;;
  remove)
    echo 0 > "$1/events/enable"
    : > "$1/trace"
    exec rmdir -- "$1" ;;
  *) exit 0 ;;
  esac
done
`;

export interface InstanceRemover {
  /** Empties the lists of process ids, soon after the call. */
  emptyPidLists(): void;
  /** Removes the instance. All of its files must be closed. */
  remove(): Promise<Result>;
}

/** Starts the shell, which must happen as root. It ends with this process. */
export function startInstanceRemover({ path }: Instance): InstanceRemover {
  const shell = spawn('/bin/sh', ['-c', SCRIPT, 'ktc-instance-keeper', path], {
    cwd: '/',
    // It needs nothing of the agent's environment.
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
    // In its own session, so that Ctrl-C and Ctrl-Z in a terminal do not reach it.
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let errorOutput = '';
  shell.stderr.setEncoding('utf8').on('data', (text: string) => {
    errorOutput += text;
  });
  const ended = new Promise<Result>((resolve) => {
    shell.once('error', ({ message }) => resolve(refusal(message)));
    shell.once('close', (code, signal) => {
      const reason = errorOutput.trim() || `its keeper was ended by ${signal ?? `exit code ${code}`}`;
      resolve(code === 0 ? DONE : refusal(reason));
    });
  });
  // If the shell has ended already, `ended` says so.
  shell.stdin.on('error', () => {});
  // These handles alone must not keep this process running. Pipes to a child are sockets, which the types do not say.
  const handles = [shell, shell.stdin as Socket, shell.stderr as Socket];
  for (const handle of handles) handle.unref();
  return {
    emptyPidLists() {
      shell.stdin.write('empty\n');
    },
    async remove() {
      for (const handle of handles) handle.ref();
      shell.stdin.end('remove\n');
      const removed = await ended;
      if (removed.ok) return removed;
      return refusal(
        `cannot remove the ftrace instance ${path}: ${removed.problem}; the next start takes it over`,
      );
    },
  };
}
