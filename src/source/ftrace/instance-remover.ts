/**
 * Removes an ftrace instance for a process that is no longer root by then.
 *
 * Only root may remove a directory of tracefs: to give the `instances` directory to the agent's user would give it
 * those of all other tracers too. So a shell that stays root waits for one word from the agent. It takes nothing else
 * from it, the path is fixed when it starts, and it costs the memory of a shell and no CPU.
 */
import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Instance } from './instance.ts';

/**
 * Without the word, at the end of its input, the agent was killed: the instance stays, with the records in it, for the
 * next start. Signals that mean the agent (a Ctrl-C, systemd's SIGTERM to the whole unit) are not for the keeper.
 */
const KEEPER = `
trap '' HUP INT QUIT TERM
read -r word && [ "$word" = remove ] || exit 0
exec rmdir -- "$1"
`;

export interface InstanceKeeper {
  /** Every file of the instance must be closed. Null when it is gone, else one line that says why not. */
  remove(): Promise<string | null>;
}

/** Starts the keeper; it ends with this process. */
export function startKeeper({ path }: Instance): InstanceKeeper {
  const keeper = spawn('/bin/sh', ['-c', KEEPER, 'ktc-instance-keeper', path], {
    cwd: '/',
    // Nothing of the agent's environment is its business.
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
    // A session of its own, so that what is typed in a terminal does not stop it either.
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let said = '';
  keeper.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = new Promise<string | null>((resolve) => {
    keeper.once('error', ({ message }) => resolve(message));
    keeper.once('close', (code, signal) =>
      resolve(code === 0 ? null : said.trim() || `its keeper was ended by ${signal ?? `exit code ${code}`}`),
    );
  });
  // That it is gone already is what `ended` tells.
  keeper.stdin.on('error', () => {});
  // Alone it keeps nothing running. Pipes to a child are sockets, which the types do not tell.
  const handles = [keeper, keeper.stdin as Socket, keeper.stderr as Socket];
  for (const handle of handles) handle.unref();
  return {
    async remove() {
      for (const handle of handles) handle.ref();
      keeper.stdin.end('remove\n');
      const problem = await ended;
      if (problem === null) return null;
      return `cannot remove the ftrace instance ${path}: ${problem}; the next start takes it over`;
    },
  };
}
