/** A private network of two ends whose link loses TCP packets, for the demo, the tests and the benches. */
import { existsSync } from 'node:fs';
import { DONE, type Result, refusal, success } from '../shared/result.ts';
import { type LossWay, type LossyEnd, losePackets } from './loss.ts';
import { guardNamespaces, ownedName, removeStaleNamespaces } from './namespaces.ts';
import { runProgram } from './program.ts';

export interface LinkEnd {
  /** Name for `ip netns exec`. */
  readonly namespace: string;
  readonly ipv4: string;
  /** Null where the kernel has no IPv6. */
  readonly ipv6: string | null;
}

export interface LossyLink {
  readonly a: LinkEnd;
  readonly b: LinkEnd;
  /** Packets that the link has dropped so far, in both directions. */
  droppedPackets(): Promise<number>;
  /**
   * Kills the processes in the namespaces and removes them; safe to call twice. The end of this process does the
   * same.
   */
  close(): Promise<void>;
}

export interface LossyLinkOptions {
  /** The purpose, in lower-case letters: part of the names of the namespaces. */
  readonly name: string;
  /** The share of TCP packets that is lost in each direction, 0 to 100, with a resolution of 0.01. */
  readonly lossPercent: number;
  /** True refuses a kernel without IPv6. */
  readonly ipv6?: boolean;
  /** Name of an ftrace instance to be removed with the link, because a killed process cannot remove its own. */
  readonly traceInstance?: string;
}

const DEVICE = 'ktc0';
const INSTALL_IP = 'ip is not installed: install iproute2 (apt-get install iproute2, or yum install iproute)';

let linksMade = 0;

/**
 * Two ends with addresses that no other link of a running process is likely to have. All links share one kernel and
 * its events, which the addresses tell apart.
 */
function makeEnds(name: string): [LinkEnd, LinkEnd] {
  linksMade += 1;
  const subnet = (process.pid * 8 + (linksMade % 8)) % 16_384;
  const end = (side: 'a' | 'b', host: number): LinkEnd => ({
    namespace: `${name}-${side}`,
    ipv4: `10.213.${subnet >> 6}.${((subnet & 63) << 2) + host}`,
    ipv6: existsSync('/proc/net/if_inet6') ? `fd6b:7463:${subnet.toString(16)}::${host}` : null,
  });
  return [end('a', 1), end('b', 2)];
}

/** Configures one end of the link; both devices exist already. */
function endSteps(end: LinkEnd, mac: string, other: LinkEnd, otherMac: string): string[][] {
  const ip = (...args: string[]) => ['-n', end.namespace, ...args];
  const permanent = ['lladdr', otherMac, 'dev', DEVICE, 'nud', 'permanent'];
  const steps = [
    ip('link', 'set', 'lo', 'up'),
    ip('link', 'set', DEVICE, 'address', mac),
    ip('address', 'add', `${end.ipv4}/30`, 'dev', DEVICE),
    ip('link', 'set', DEVICE, 'up'),
    // Without known neighbours the first SYNs would wait a second for an answer, and count as sent again.
    ip('neighbour', 'replace', other.ipv4, ...permanent),
  ];
  if (end.ipv6 && other.ipv6)
    steps.push(
      ip('address', 'add', `${end.ipv6}/64`, 'dev', DEVICE, 'nodad'),
      ip('neighbour', 'replace', other.ipv6, ...permanent),
    );
  return steps;
}

/** The arguments of `ip` that make the link, in their order. */
function linkSteps(a: LinkEnd, b: LinkEnd): string[][] {
  const [macA, macB] = ['02:00:00:00:00:0a', '02:00:00:00:00:0b'];
  return [
    ['netns', 'add', a.namespace],
    ['netns', 'add', b.namespace],
    // biome-ignore format: one command line
    ['-n', a.namespace, 'link', 'add', DEVICE, 'type', 'veth', 'peer', 'name', DEVICE, 'netns', b.namespace],
    ...endSteps(a, macA, b, macB),
    ...endSteps(b, macB, a, macA),
  ];
}

/** Runs `ip`. `what` begins the problem of a run that fails. */
async function runIp(what: string, args: readonly string[]): Promise<Result> {
  const result = await runProgram('ip', args);
  if (result.ok) return DONE;
  return refusal(result.isMissing ? INSTALL_IP : `${what}: ${result.problem}`);
}

/** Whether this host can have such a link. */
async function checkRequirements(ipv6: boolean): Promise<Result> {
  if (process.getuid?.() !== 0) return refusal('a network of its own needs root: run it with sudo');
  if (!existsSync('/proc/self/ns/net'))
    return refusal('this kernel has no network namespaces (CONFIG_NET_NS)');
  if (ipv6 && !existsSync('/proc/net/if_inet6')) return refusal('this kernel has no IPv6: use IPv4');
  return runIp('ip does not run', ['-V']);
}

/**
 * Forbids packets of many segments, which TCP makes whatever the device can do: one retransmit event would stand for
 * several segments, and one drop would lose them all.
 */
async function sendSingleSegments(end: LinkEnd): Promise<void> {
  const limited = await runProgram('ip', ['-n', end.namespace, 'link', 'set', DEVICE, 'gso_max_segs', '1']);
  if (limited.ok) return;
  // Kernels and iproute2 before 4.16 have no such option, and make such packets only for a device that can send them.
  // The link works without either program, but counts of segments differ.
  const off = ['tso', 'off', 'gso', 'off', 'gro', 'off'];
  await runProgram('ip', ['netns', 'exec', end.namespace, 'ethtool', '-K', DEVICE, ...off]);
}

const lossyEnd = ({ namespace }: LinkEnd): LossyEnd => ({ namespace, device: DEVICE });

async function build(a: LinkEnd, b: LinkEnd, loss: number): Promise<Result<LossWay>> {
  for (const args of linkSteps(a, b)) {
    const result = await runIp(`ip ${args.join(' ')}`, args);
    if (!result.ok) return result;
  }
  await sendSingleSegments(a);
  await sendSingleSegments(b);
  return losePackets([lossyEnd(a), lossyEnd(b)], loss);
}

/**
 * Makes two network namespaces joined by a link with IPv4 and IPv6 that drops TCP packets at random.
 * Touches nothing of the host's own network. Also removes the namespaces that a killed earlier run left behind.
 */
export async function createLossyLink(options: LossyLinkOptions): Promise<Result<LossyLink>> {
  const possible = await checkRequirements(options.ipv6 ?? false);
  if (!possible.ok) return possible;
  await removeStaleNamespaces();
  const [a, b] = makeEnds(await ownedName(options.name));
  const remove = guardNamespaces([a.namespace, b.namespace], options.traceInstance);
  const built = await build(a, b, Math.round(options.lossPercent * 100));
  if (!built.ok) {
    await remove();
    return built;
  }
  const lossWay = built.value;
  return success({
    a,
    b,
    droppedPackets: async () => (await lossWay.count(lossyEnd(a))) + (await lossWay.count(lossyEnd(b))),
    close: remove,
  });
}
