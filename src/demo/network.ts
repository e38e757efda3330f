/** A private network of two ends whose link loses TCP packets, for the demo, the tests and the benches. */
import { existsSync } from 'node:fs';
import { type CommandResult, runCommand } from './command.ts';
import { keepNamespaces, ownedName, type RemoveNamespaces, removeStaleNamespaces } from './namespaces.ts';

/** Why there is no such network, in one line that says what to do. */
export interface Problem {
  readonly problem: string;
}

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
  /** Packets that the link has dropped so far, both directions. */
  droppedPackets(): Promise<number>;
  /** Kills what runs in the namespaces and removes them; safe to call twice. Happens by itself when this process ends. */
  close(): Promise<void>;
}

export interface LossyLinkOptions {
  /** What it is for, in lower-case letters: part of the namespaces' names. */
  readonly name: string;
  /** Of the TCP packets in each direction, 0 to 100, to a hundredth. */
  readonly lossPercent: number;
  /** True makes a kernel without IPv6 a problem. */
  readonly ipv6?: boolean;
  /** Name of an ftrace instance to remove with the link, for a process that is killed and cannot do it. */
  readonly traceInstance?: string;
}

const DEVICE = 'ktc0';
const INSTALL = {
  ip: 'install iproute2 (apt-get install iproute2, or yum install iproute)',
  nft: 'install nftables (apt-get install nftables, or yum install nftables)',
} as const;

let linksMade = 0;

/**
 * A pair of ends that no other link of a running process is likely to have, so that the events of two
 * links, which all come from one kernel, can be told apart by address.
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

/** One end's side of the link, once both devices are there. */
function endSteps(end: LinkEnd, mac: string, other: LinkEnd, otherMac: string, loss: number): Step[] {
  const ip = (...args: string[]): Step => ['ip', ['-n', end.namespace, ...args]];
  const permanent = ['lladdr', otherMac, 'dev', DEVICE, 'nud', 'permanent'];
  const steps = [
    ip('link', 'set', 'lo', 'up'),
    ip('link', 'set', DEVICE, 'address', mac),
    ip('address', 'add', `${end.ipv4}/30`, 'dev', DEVICE),
    ip('link', 'set', DEVICE, 'up'),
    // Known neighbours: the first SYNs would otherwise wait a second for an answer, and count as sent again.
    ip('neighbour', 'replace', other.ipv4, ...permanent),
  ];
  if (end.ipv6 && other.ipv6)
    steps.push(
      ip('address', 'add', `${end.ipv6}/64`, 'dev', DEVICE, 'nodad'),
      ip('neighbour', 'replace', other.ipv6, ...permanent),
    );
  // At the receiver: a drop in the sender's own output path would be reported to its TCP as an error.
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

/** What of `result` the user must mend; null when it went well. */
function problemOf(what: string, program: keyof typeof INSTALL, result: CommandResult): string | null {
  if (result.kind === 'missing') return `${program} is not installed: ${INSTALL[program]}`;
  return result.kind === 'failed' ? `${what}: ${result.message}` : null;
}

async function findMissing(ipv6: boolean): Promise<string | null> {
  if (process.getuid?.() !== 0) return 'a network of its own needs root: run it with sudo';
  if (!existsSync('/proc/self/ns/net')) return 'this kernel has no network namespaces (CONFIG_NET_NS)';
  if (ipv6 && !existsSync('/proc/net/if_inet6')) return 'this kernel has no IPv6: use IPv4';
  for (const program of ['ip', 'nft'] as const) {
    const problem = problemOf(`${program} does not run`, program, await runCommand(program, ['-V']));
    if (problem) return problem;
  }
  return null;
}

/**
 * Forbids packets of many segments, which TCP makes whatever the device's offloads are: one retransmit
 * event would stand for several segments, and one drop would lose them all.
 */
async function sendSingleSegments(end: LinkEnd): Promise<void> {
  // Kernels and iproute2 before 4.16 cannot; the link then still works, only counts of segments differ.
  await runCommand('ip', ['-n', end.namespace, 'link', 'set', DEVICE, 'gso_max_segs', '1']);
}

async function countDropped(end: LinkEnd): Promise<number> {
  const result = await runCommand('ip', ['netns', 'exec', end.namespace, 'nft', 'list', 'counters']);
  return result.kind === 'done' ? Number(/packets (\d+)/.exec(result.output)?.[1] ?? 0) : 0;
}

async function build(a: LinkEnd, b: LinkEnd, loss: number): Promise<string | null> {
  for (const [program, args, input] of linkSteps(a, b, loss)) {
    const problem = problemOf(
      `${program} ${args.join(' ')}`,
      program,
      await runCommand(program, args, input),
    );
    if (problem) return problem;
  }
  await sendSingleSegments(a);
  await sendSingleSegments(b);
  return null;
}

/**
 * Makes two network namespaces joined by a link with IPv4 and IPv6 that drops TCP packets at random.
 * Touches nothing of the host's own network. Also removes what a killed earlier run left behind.
 */
export async function createLossyLink(options: LossyLinkOptions): Promise<LossyLink | Problem> {
  const missing = await findMissing(options.ipv6 ?? false);
  if (missing) return { problem: missing };
  await removeStaleNamespaces();
  const [a, b] = makeEnds(await ownedName(options.name));
  const remove: RemoveNamespaces = keepNamespaces([a.namespace, b.namespace], options.traceInstance);
  const problem = await build(a, b, Math.round(options.lossPercent * 100));
  if (problem) {
    await remove();
    return { problem };
  }
  return {
    a,
    b,
    droppedPackets: async () => (await countDropped(a)) + (await countDropped(b)),
    close: remove,
  };
}
