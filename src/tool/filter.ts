/**
 * Which events a user wants to see: decided in the agent, which knows the whole connection, and in the kernel where
 * that is safe.
 */
import { type EventDraft, UNKNOWN } from '../event/draft.ts';
import { mapProbes, PROBE_OFF, PROBE_TABLE, type ProbeChoice, type ProbeName } from '../source/probes.ts';
import type { Choice } from './choice.ts';
import type { CellContext } from './column.ts';
import type { Tool } from './tool.ts';

export type Wants = (draft: EventDraft) => boolean;

/** The filter in the agent: an event has to satisfy every condition that the user gave. */
export function createFilter(tool: Tool, choice: Choice, { uidOf }: Pick<CellContext, 'uidOf'>): Wants {
  const { pid, unit, uid, localPorts, remotePorts, version, minUs, lossProbes } = choice;
  const { measureUs } = tool;
  const conditions: Wants[] = [];
  // C-PID may be the process that was on the CPU; the filter uses the process that is shown.
  const showsCurrent = tool.columns.includes('currentPid');
  if (pid !== null) conditions.push(({ task, isOwner }) => (isOwner || showsCurrent) && task.pid === pid);
  if (unit !== null) conditions.push(({ task, isOwner }) => (isOwner || showsCurrent) && task.unit === unit);
  if (uid !== null) conditions.push(({ task, isOwner }) => isOwner && uidOf(task) === uid);
  if (localPorts !== null)
    conditions.push(({ connection }) => localPorts.has(connection.flow?.localPort ?? UNKNOWN));
  if (remotePorts !== null)
    conditions.push(({ connection }) => remotePorts.has(connection.flow?.remotePort ?? UNKNOWN));
  if (version !== null) conditions.push(({ connection }) => connection.flow?.version === version);
  if (minUs > 0 && measureUs !== undefined) conditions.push((draft) => measureUs(draft) >= minUs);
  if (tool.name === 'tcpretrans' && !lossProbes)
    conditions.push(({ retransmitKind }) => retransmitKind !== 'tlp');
  return (draft) => conditions.every((holds) => holds(draft));
}

/** AF_INET6. IPv4 has no such filter, because it also uses IPv6 sockets (RFC 4291, section 2.5.5.2). */
const IPV6_SOCKETS = 'family == 10';

const anyPort = (field: string, ports: ReadonlySet<number> | null): string =>
  ports === null ? '' : [...ports].map((port) => `${field} == ${port}`).join(' || ');

/** The user's conditions that the kernel can check, besides the filter that the tool itself needs. */
function kernelConditions(name: ProbeName, { version, localPorts, remotePorts }: Choice): string[] {
  // A filter by port on the other probes would hide the beginning of the connections that are wanted.
  const ends = PROBE_TABLE[name].hasBothPorts
    ? [anyPort('sport', localPorts), anyPort('dport', remotePorts)]
    : [];
  return [version === 6 ? IPV6_SOCKETS : '', ...ends].filter((part) => part !== '');
}

function join(parts: readonly string[]): string {
  return parts.length > 1 ? parts.map((part) => `(${part})`).join(' && ') : (parts[0] ?? '');
}

/** `source.probes` of the configuration: the probes that the tool needs, with the user's conditions. */
export function probesOf(tool: Tool, choice: Choice): Readonly<Record<ProbeName, ProbeChoice>> {
  return mapProbes((name) => {
    const own = tool.probes[name];
    if (own === undefined || (name === 'tcp_send_loss_probe' && !choice.lossProbes)) return PROBE_OFF;
    const conditions = [own, ...kernelConditions(name, choice)].filter((part) => part !== '');
    return { enabled: true, filter: join(conditions) };
  });
}
