/** Which events a user wants to see: decided here with the whole connection known, and in the kernel where that is safe. */
import type { EventDraft } from '../event/draft.ts';
import { PROBES, type ProbeChoice, type ProbeName } from '../source/probes.ts';
import type { Choice } from './choice.ts';
import type { CellContext } from './column.ts';
import type { Tool } from './tool.ts';

export type Wants = (draft: EventDraft) => boolean;

/** The condition in the agent, made of those that were asked for. */
export function createFilter(tool: Tool, choice: Choice, { uidOf }: Pick<CellContext, 'uidOf'>): Wants {
  const { pid, uid, localPorts, remotePorts, version, minUs, lossProbes } = choice;
  const { measureUs } = tool;
  const conditions: Wants[] = [];
  // C-PID may be of whoever was on the CPU, and is filtered as it is shown.
  const showsCurrent = tool.columns.includes('currentPid');
  if (pid !== null) conditions.push(({ task, isOwner }) => (isOwner || showsCurrent) && task.pid === pid);
  if (uid !== null) conditions.push(({ task, isOwner }) => isOwner && uidOf(task.pid) === uid);
  if (localPorts !== null)
    conditions.push(({ connection }) => localPorts.has(connection.flow?.localPort ?? 0));
  if (remotePorts !== null)
    conditions.push(({ connection }) => remotePorts.has(connection.flow?.remotePort ?? 0));
  if (version !== null) conditions.push(({ connection }) => connection.flow?.version === version);
  if (minUs > 0 && measureUs !== undefined) conditions.push((draft) => measureUs(draft) >= minUs);
  if (tool.name === 'tcpretrans' && !lossProbes)
    conditions.push(({ retransmitKind }) => retransmitKind !== 'tlp');
  return (draft) => conditions.every((holds) => holds(draft));
}

/**
 * The probes whose records have both ends. tcp_set_state is none of them: the local port is still 0 when a connection
 * is opened, and the peer when a child is made, so a filter on ports would hide the beginning of what is wanted.
 */
const HAS_BOTH_ENDS: ReadonlySet<ProbeName> = new Set([
  'tcp_retransmit_skb',
  'tcp_retransmit_synack',
  'tcp_send_loss_probe',
  'inet_csk_accept',
]);

/** AF_INET6. There is no such filter for IPv4, which also comes through IPv6 sockets (RFC 4291, section 2.5.5.2). */
const IPV6_SOCKETS = 'family == 10';

const anyPort = (field: string, ports: ReadonlySet<number> | null): string =>
  ports === null ? '' : [...ports].map((port) => `${field} == ${port}`).join(' || ');

/** What is asked of the kernel beside what the tool itself needs. */
function pushed(name: ProbeName, { version, localPorts, remotePorts }: Choice): string[] {
  const ends = HAS_BOTH_ENDS.has(name) ? [anyPort('sport', localPorts), anyPort('dport', remotePorts)] : [];
  return [version === 6 ? IPV6_SOCKETS : '', ...ends].filter((part) => part !== '');
}

function join(parts: readonly string[]): string {
  return parts.length > 1 ? parts.map((part) => `(${part})`).join(' && ') : (parts[0] ?? '');
}

/** `source.probes` of the configuration: what the tool needs, narrowed to what is wanted. */
export function probesOf(tool: Tool, choice: Choice): Record<ProbeName, ProbeChoice> {
  const entries = PROBES.map((name): [ProbeName, ProbeChoice] => {
    const own = tool.probes[name];
    if (own === undefined || (name === 'tcp_send_loss_probe' && !choice.lossProbes)) {
      return [name, { enabled: false, filter: '' }];
    }
    return [
      name,
      { enabled: true, filter: join([own, ...pushed(name, choice)].filter((part) => part !== '')) },
    ];
  });
  return Object.fromEntries(entries) as Record<ProbeName, ProbeChoice>;
}
