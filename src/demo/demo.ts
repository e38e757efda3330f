/** The demo's surroundings: a lossy link with traffic on it. */
import { createLossyLink, type LossyLink, type Problem } from './network.ts';
import { startTraffic, type Traffic } from './traffic.ts';

export interface Demo {
  readonly link: LossyLink;
  readonly traffic: Traffic;
  /** Ends the traffic and removes the link; safe to call twice. */
  close(): Promise<void>;
}

export interface DemoOptions {
  /** Of the packets in each direction, 0 to 100. */
  readonly lossPercent: number;
  /** Traffic over IPv6 instead of IPv4. */
  readonly ipv6: boolean;
  /** As in `createLossyLink`. */
  readonly traceInstance?: string;
  /** As in `startTraffic`; left out, this program's own entry. */
  readonly command?: readonly string[];
}

/** Makes the link and starts the traffic, or says in one line what is missing. */
export async function startDemo({ command, ...options }: DemoOptions): Promise<Demo | Problem> {
  const link = await createLossyLink({ name: 'demo', ...options });
  if ('problem' in link) return link;
  const traffic = await startTraffic(link, options.ipv6, command);
  if ('problem' in traffic) {
    await link.close();
    return traffic;
  }
  return {
    link,
    traffic,
    close: async () => {
      await traffic.close();
      await link.close();
    },
  };
}
