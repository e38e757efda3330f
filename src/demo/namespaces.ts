/** Network namespaces that never outlive the process that made them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';

/** Where iproute2 keeps named namespaces. */
const NAMESPACE_DIRECTORY = '/run/netns';
const OWNED_NAME = /^ktc-[a-z]+-(\d+)-(\d+)-\d+-[ab]$/;

/**
 * Waits for the end of its input, which the kernel brings about however the owner ends, kill -9
 * included, then removes the namespaces and whatever still runs in them. A shell, so that it is small
 * and does not depend on the owner's files being there still.
 */
const KEEPER = `
trap '' HUP INT TERM
cat >/dev/null
instance=$1
shift
for namespace do
  pids=$(ip netns pids "$namespace") && [ -n "$pids" ] && kill -9 $pids
  ip netns delete "$namespace"
done
[ -n "$instance" ] || exit 0
# The owner's last open files may be closed a moment after its end of our input.
for attempt in 1 2 3 4 5 6 7 8 9 10; do
  left=
  for tracefs in /sys/kernel/tracing /sys/kernel/debug/tracing; do
    directory=$tracefs/instances/$instance
    [ ! -d "$directory" ] || rmdir "$directory" || left=yes
  done
  [ -n "$left" ] || exit 0
  sleep 0.1
done
`;

/** Removes its namespaces. Resolves when they are gone; safe to call twice. */
export type RemoveNamespaces = () => Promise<void>;

/**
 * Starts the process that removes `namespaces` when told to or when this process is gone. Start it before
 * making them, so that there is no moment in which they have no keeper. `traceInstance`, the name of an
 * ftrace instance, goes with them.
 */
export function keepNamespaces(namespaces: readonly string[], traceInstance = ''): RemoveNamespaces {
  // A session of its own: a Ctrl-C in the terminal goes to the owner's process group only.
  const args = ['-c', KEEPER, 'ktc-namespace-keeper', traceInstance, ...namespaces];
  const keeper = spawn('/bin/sh', args, {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const ended = once(keeper, 'close');
  return async () => {
    keeper.stdin.end();
    await ended;
  };
}

/** Start time in clock ticks since boot, which with the pid names a process for good; null if there is none. */
async function startTime(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  // The name, field 2, may hold spaces and parentheses: count fields behind its end. Start time is field 22.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}

let made = 0;

/** A name for a pair of namespaces that says whose it is: `ktc-<purpose>-<pid>-<start time>-<ordinal>`. */
export async function ownedName(purpose: string): Promise<string> {
  made += 1;
  return `ktc-${purpose}-${process.pid}-${await startTime(process.pid)}-${made}`;
}

/** Removes the namespaces whose owner is gone, and its keeper with it. Returns their names. */
export async function removeStaleNamespaces(): Promise<readonly string[]> {
  const names = await readdir(NAMESPACE_DIRECTORY).catch(() => []);
  const stale: string[] = [];
  for (const name of names) {
    const owner = OWNED_NAME.exec(name);
    if (owner && (await startTime(Number(owner[1]))) !== owner[2]) stale.push(name);
  }
  if (stale.length > 0) await keepNamespaces(stale)();
  return stale;
}
