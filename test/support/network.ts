/** Lossy links for tests: a missing tool fails the test, and no link outlives it. */
import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createLossyLink, type LossyLink, type LossyLinkOptions } from '../../src/demo/network.ts';
import { type Counters, readCounters, sumCounters } from './nstat.ts';
import { DEADLINE_MS } from './wait.ts';

/** Why this machine cannot make a link; null when it can. For `skip`. */
export const noNetworkReason: string | null =
  process.getuid?.() === 0 ? null : 'needs root to make network namespaces';

/** Opens a link. The caller closes it; if the test process dies, the link goes with it. */
export async function openLossyLink(options: Omit<LossyLinkOptions, 'name'>): Promise<LossyLink> {
  const link = await createLossyLink({ name: 'test', ...options });
  if (!link.ok) throw new Error(link.problem);
  return link.value;
}

/** Runs `use` with a link of its own and closes it whatever happens. */
export async function withLossyLink<Result>(
  options: Omit<LossyLinkOptions, 'name'>,
  use: (link: LossyLink) => Promise<Result>,
): Promise<Result> {
  const link = await openLossyLink(options);
  try {
    return await use(link);
  } finally {
    await link.close();
  }
}

/** The kernel's counters of both ends together. */
export async function readLinkCounters(link: LossyLink): Promise<Counters> {
  return sumCounters([await readCounters(link.a.namespace), await readCounters(link.b.namespace)]);
}

async function countBusySockets(namespace: string): Promise<number> {
  // The states in which a socket has something that it may send again.
  const states = 'established syn-sent syn-recv fin-wait-1 close-wait closing last-ack';
  const filter = states.split(' ').flatMap((state) => ['state', state]);
  const args = ['netns', 'exec', namespace, 'ss', '--tcp', '--no-header', '--numeric', ...filter];
  const { stdout } = await promisify(execFile)('ip', args);
  return stdout.split('\n').filter(Boolean).length;
}

/**
 * Waits until no socket of the link can retransmit any more, so that the kernel's counters and its events
 * are final: the kernel goes on with the last segments after the programs have ended.
 */
export async function waitUntilQuiet(link: LossyLink): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const busy = (await countBusySockets(link.a.namespace)) + (await countBusySockets(link.b.namespace));
    if (busy === 0) return;
    await delay(100);
    if (performance.now() > deadline)
      throw new Error(`${busy} sockets of the link still busy after ${DEADLINE_MS} ms`);
  }
}
