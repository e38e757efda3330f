/** The two ways to lose packets on the demo's link. */
import { type Result, refusal, success } from '../shared/result.ts';
import { runProgram } from './program.ts';

/** One end of the link, and its device there. */
export interface LossyEnd {
  readonly namespace: string;
  readonly device: string;
}

/** A way to lose packets that works on this host. */
export interface LossWay {
  /** Loses this share of what comes to an end, in hundredths of a percent. */
  lose(end: LossyEnd, share: number): Promise<Result>;
  /** How many packets an end has lost so far. */
  count(end: LossyEnd): Promise<number>;
}

/** Runs a program in the namespace of an end. A program that is missing is a problem in one line, too. */
async function runIn({ namespace }: LossyEnd, program: string, args: readonly string[], input?: string) {
  const found = await runProgram(program, ['-V']);
  if (!found.ok && found.isMissing) return refusal(`${program} is not installed`);
  const ran = await runProgram('ip', ['netns', 'exec', namespace, program, ...args], input);
  return ran.ok ? ran : refusal(`${program}: ${ran.problem}`);
}

/** Drops TCP at the receiver, so that the sender's TCP sees nothing of it. Exact to 0.01 %. */
const NFTABLES: LossWay = {
  async lose(end, share) {
    const drop = `iifname "${end.device}" meta l4proto tcp numgen random mod 10000 <= ${share - 1} counter name lost drop`;
    const ruleset = `table inet ktc {
  counter lost { }
  chain receive {
    type filter hook input priority 0;
    ${share > 0 ? drop : ''}
  }
}\n`;
    const ran = await runIn(end, 'nft', ['-f', '-'], ruleset);
    return ran.ok ? success(undefined) : ran;
  },
  async count(end) {
    const listed = await runIn(end, 'nft', ['list', 'counters']);
    return listed.ok ? Number(/packets (\d+)/.exec(listed.value)?.[1] ?? 0) : 0;
  },
};

/**
 * Loses at the sender. EL7's kernel has neither nftables' `numgen` nor its named counters, and it has this. Its queue
 * has room for what waits in TCP, so that it drops nothing for want of room.
 */
const NETEM: LossWay = {
  async lose(end, share) {
    const netem = ['root', 'netem', 'loss', `${share / 100}%`, 'limit', '100000'];
    const ran = await runIn(end, 'tc', ['qdisc', 'add', 'dev', end.device, ...netem]);
    return ran.ok ? success(undefined) : ran;
  },
  async count(end) {
    const shown = await runIn(end, 'tc', ['-s', 'qdisc', 'show', 'dev', end.device]);
    return shown.ok ? Number(/dropped (\d+)/.exec(shown.value)?.[1] ?? 0) : 0;
  },
};

/** Makes both ends lose packets. A refusal says in one line what this host lacks. */
export async function losePackets(ends: readonly LossyEnd[], share: number): Promise<Result<LossWay>> {
  const problems: string[] = [];
  for (const way of [NFTABLES, NETEM]) {
    let problem: string | null = null;
    for (const end of ends) {
      const lossy = await way.lose(end, share);
      if (!lossy.ok) problem ??= lossy.problem;
    }
    if (problem === null) return success(way);
    problems.push(problem);
  }
  const remedy = 'install nftables 0.8 or newer, or iproute2 with the kernel module sch_netem';
  return refusal(`nothing here can lose packets (${problems.join('; ')}): ${remedy}`);
}
