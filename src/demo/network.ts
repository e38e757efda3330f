/** A private network of two ends whose link loses TCP packets, for the demo, the tests and the benches. */
import { existsSync } from 'node:fs';
import { DONE, type Result, refusal, success } from '../shared/result.ts';
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
const INSTALL = {
  ip: 'install iproute2 (apt-get install iproute2, or yum install iproute)',
  nft: 'install nftables (apt-get install nftables, or yum install nftables)',
} as const;

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

type Step = readonly [program: keyof typeof INSTALL, args: readonly string[], input?: string];

/** Configures one end of the link; both devices exist already. */
function endSteps(end: LinkEnd, mac: string, other: LinkEnd, otherMac: string, loss: number): Step[] {
  const ip = (...args: string[]): Step => ['ip', ['-n', end.namespace, ...args]];
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
  // Drop at the receiver: the sender's TCP would see a drop in its own output path as an error.
  const drop = `iifname "${DEVICE}" meta l4proto tcp numgen random mod 10000 <= ${loss - 1} counter name lost drop`;
  const ruleset = `table inet ktc {
  counter lost { }
  chain receive {
    type filter hook input priority 0;
    ${loss > 0 ? drop : ''}
  }
}\n`;
  return [...steps, ['ip', ['netns', 'exec', end.namespace, 'nft', '-f', '-'], ruleset]];
}

function linkSteps(a: LinkEnd, b: LinkEnd, loss: number): Step[] {
  const [macA, macB] = ['02:00:00:00:00:0a', '02:00:00:00:00:0b'];
  return [
    ['ip', ['netns', 'add', a.namespace]],
    ['ip', ['netns', 'add', b.namespace]],
    [
      'ip',
      // biome-ignore format: one command line
      ['-n', a.namespace, 'link', 'add', DEVICE, 'type', 'veth', 'peer', 'name', DEVICE, 'netns', b.namespace],
    ],
    ...endSteps(a, macA, b, macB, loss),
    ...endSteps(b, macB, a, macA, loss),
  ];
}

/** Runs a program that the link needs. `what` begins the problem of a run that fails. */
async function run(what: string, [program, args, input]: Step): Promise<Result<string>> {
  const result = await runProgram(program, args, input);
  if (result.ok) return result;
  return refusal(
    result.isMissing ? `${program} is not installed: ${INSTALL[program]}` : `${what}: ${result.problem}`,
  );
}

/** Whether this host can have such a link. */
async function checkRequirements(ipv6: boolean): Promise<Result> {
  if (process.getuid?.() !== 0) return refusal('a network of its own needs root: run it with sudo');
  if (!existsSync('/proc/self/ns/net'))
    return refusal('this kernel has no network namespaces (CONFIG_NET_NS)');
  if (ipv6 && !existsSync('/proc/net/if_inet6')) return refusal('this kernel has no IPv6: use IPv4');
  for (const program of ['ip', 'nft'] as const) {
    const version = await run(`${program} does not run`, [program, ['-V']]);
    if (!version.ok) return version;
  }
  return DONE;
}

/**
 * Forbids packets of many segments, which TCP makes whatever the device can do: one retransmit event would stand for
 * several segments, and one drop would lose them all.
 */
async function sendSingleSegments(end: LinkEnd): Promise<void> {
  // Kernels and iproute2 before 4.16 have no such option. The link works without it, but counts of segments differ.
  await runProgram('ip', ['-n', end.namespace, 'link', 'set', DEVICE, 'gso_max_segs', '1']);
}

async function countDropped(end: LinkEnd): Promise<number> {
  const result = await runProgram('ip', ['netns', 'exec', end.namespace, 'nft', 'list', 'counters']);
  return result.ok ? Number(/packets (\d+)/.exec(result.value)?.[1] ?? 0) : 0;
}

async function build(a: LinkEnd, b: LinkEnd, loss: number): Promise<Result> {
  for (const step of linkSteps(a, b, loss)) {
    const [program, args] = step;
    const result = await run(`${program} ${args.join(' ')}`, step);
    if (!result.ok) return result;
  }
  await sendSingleSegments(a);
  await sendSingleSegments(b);
  return DONE;
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
  return success({
    a,
    b,
    droppedPackets: async () => (await countDropped(a)) + (await countDropped(b)),
    close: remove,
  });
}
