/** What the demo shows: a lossy link with traffic on it. */
import { type Result, success } from '../shared/result.ts';
import { createLossyLink, type LossyLink } from './network.ts';
import { startTraffic, type Traffic } from './traffic.ts';

export interface Demo {
  readonly link: LossyLink;
  readonly traffic: Traffic;
  /** Ends the traffic and removes the link; safe to call twice. */
  close(): Promise<void>;
}

export interface DemoOptions {
  /** The share of packets that is lost in each direction, 0 to 100. */
  readonly lossPercent: number;
  /** Traffic over IPv6 instead of IPv4. */
  readonly ipv6: boolean;
  /** As in `createLossyLink`. */
  readonly traceInstance?: string;
  /** As in `startTraffic`; absent, this program's own entry. */
  readonly command?: readonly string[];
}

/** Makes the link and starts the traffic on it. */
export async function startDemo({ command, ...options }: DemoOptions): Promise<Result<Demo>> {
  const linked = await createLossyLink({ name: 'demo', ...options });
  if (!linked.ok) return linked;
  const link = linked.value;
  const started = await startTraffic(link, options.ipv6, command);
  if (!started.ok) {
    await link.close();
    return started;
  }
  const traffic = started.value;
  return success({
    link,
    traffic,
    async close() {
      await traffic.close();
      await link.close();
    },
  });
}
