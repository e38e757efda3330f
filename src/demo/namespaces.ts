/** Network namespaces that never outlive the process that made them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';

/** Where iproute2 keeps named namespaces. */
const NAMESPACE_DIRECTORY = '/run/netns';
const OWNED_NAME = /^ktc-[a-z]+-(\d+)-(\d+)-\d+-[ab]$/;

/**
 * Waits for the end of its input, which the kernel closes however the owner ends, kill -9 included. Then it removes
 * the namespaces and kills the processes in them. It is a shell script, so that it is small and still works when the
 * files of the owner are gone.
 */
const GUARD_SCRIPT = `
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
    [ -d "$directory" ] || continue
    # These make the kernel wait for those who still record: EL7 would free the instance without.
    echo 0 >"$directory/events/enable"
    : >"$directory/trace"
    rmdir "$directory" || left=yes
  done
  [ -n "$left" ] || exit 0
  sleep 0.1
done
`;

/** Removes the namespaces. Resolves when they are gone; safe to call twice. */
export type RemoveNamespaces = () => Promise<void>;

/**
 * Starts the process that removes these namespaces on request, or when this process is gone. To be called before they
 * are made, so that they are guarded from the first moment. The guard also removes `traceInstance`, an ftrace
 * instance.
 */
export function guardNamespaces(namespaces: readonly string[], traceInstance = ''): RemoveNamespaces {
  // In a process group of its own, so that a Ctrl-C in the terminal does not reach it.
  const args = ['-c', GUARD_SCRIPT, 'ktc-namespace-keeper', traceInstance, ...namespaces];
  const guard = spawn('/bin/sh', args, {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const ended = once(guard, 'close');
  return async () => {
    guard.stdin.end();
    await ended;
  };
}

/**
 * When a process started, in clock ticks since boot: with its pid this names it for good. Null for no such process.
 */
async function startTime(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  // Field 2, the name, may contain spaces and parentheses: count the fields behind it. The start time is field 22
  // (proc(5)).
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}

let made = 0;

/** A name for a pair of namespaces that tells their owner: `ktc-<purpose>-<pid>-<start time>-<ordinal>`. */
export async function ownedName(purpose: string): Promise<string> {
  made += 1;
  return `ktc-${purpose}-${process.pid}-${await startTime(process.pid)}-${made}`;
}

/** Removes the namespaces whose owner and guard are gone. Returns their names. */
export async function removeStaleNamespaces(): Promise<readonly string[]> {
  const names = await readdir(NAMESPACE_DIRECTORY).catch(() => []);
  const stale: string[] = [];
  for (const name of names) {
    const owner = OWNED_NAME.exec(name);
    if (owner && (await startTime(Number(owner[1]))) !== owner[2]) stale.push(name);
  }
  if (stale.length > 0) await guardNamespaces(stale)();
  return stale;
}
