/** Waiting for a condition, and ports to wait on. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * The deadline of everything a test waits for, unless it says otherwise. It is there for what hangs, and never measures
 * how fast something is: a busy machine takes many times what an idle one does. Bounds on time belong in bench/.
 */
export const DEADLINE_MS = 180_000;

export interface WaitOptions {
  readonly deadlineMs?: number;
  /** Between two looks at the condition. */
  readonly pauseMs?: number;
}

/** Waits until `condition` holds; throws with `what` when it does not within the deadline. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  { deadlineMs = DEADLINE_MS, pauseMs = 50 }: WaitOptions = {},
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${deadlineMs} ms`);
    await delay(pauseMs);
  }
}

/** TCP ports of the loopback that nobody listens on, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Whether an HTTP server answers, with a success. */
export function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );
}
