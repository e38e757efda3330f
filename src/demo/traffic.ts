/** Real TCP traffic with a bounded rate between the two ends of a link, for as long as this process lives. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { type Result, refusal, success } from '../shared/result.ts';
import type { LinkEnd, LossyLink } from './network.ts';

export interface Traffic {
  /** Ends both programs; safe to call twice. */
  close(): Promise<void>;
}

/** The command that starts this program again: its runtime, the runtime's options, its bundle. */
export function ownCommand(): readonly string[] {
  return [process.execPath, ...process.execArgv, ...process.argv.slice(1, 2)];
}

type Program = ChildProcessByStdio<Writable, Readable, null>;

function start(end: LinkEnd, command: readonly string[], role: string, address: string): Program {
  const args = ['netns', 'exec', end.namespace, ...command, 'demo-traffic', role, address];
  // In a process group of its own, so that a Ctrl-C in the terminal does not reach it. Nothing is ever written to its
  // standard input, whose end tells it that this process is gone.
  return spawn('ip', args, { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
}

async function stop(child: Program): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'close');
  child.kill();
  await ended;
}

/**
 * Starts a server at `link.b` and clients at `link.a`.
 * `command` starts this program's entry, which must lead `demo-traffic` to `runDemoTraffic`.
 */
export async function startTraffic(
  link: LossyLink,
  ipv6: boolean,
  command: readonly string[] = ownCommand(),
): Promise<Result<Traffic>> {
  const address = ipv6 ? link.b.ipv6 : link.b.ipv4;
  if (!address) return refusal('this kernel has no IPv6: use IPv4');
  const server = start(link.b, command, 'serve', address);
  const ready = await Promise.race([
    once(server.stdout, 'data').then(() => true),
    once(server, 'close').then(() => false),
  ]);
  if (!ready) return refusal(`the demo's server did not start (ip netns exec ${link.b.namespace})`);
  const client = start(link.a, command, 'request', address);
  return success({
    async close() {
      await stop(client);
      await stop(server);
    },
  });
}
