/** What `ktc top` can count retransmits by. */
import type { EventDraft } from '../event/draft.ts';

export interface TopGroup {
  /** On a terminal, the key that chooses it. */
  readonly key: string;
  /** In a sentence: one of them, and several. */
  readonly noun: string;
  readonly plural: string;
  readonly title: string;
  readonly width: number;
  readonly meaning: string;
  /** It needs the owner of each connection, at the cost of a record for each that is opened or accepted. */
  readonly needsOwner?: true;
  readonly labelOf: (draft: EventDraft) => string;
}

const UNKNOWN = '-';

export const TOP_GROUPS = {
  peer: {
    key: 'p',
    noun: 'peer',
    plural: 'peers',
    title: 'PEER',
    width: 15,
    meaning: 'Address of the peer.',
    labelOf: ({ connection }) => connection.flow?.remoteAddress ?? UNKNOWN,
  },
  unit: {
    key: 'u',
    noun: 'unit',
    plural: 'units',
    title: 'UNIT',
    width: 24,
    meaning: 'systemd unit of the process that owns the connection (--by unit).',
    needsOwner: true,
    labelOf: ({ isOwner, task }) => (isOwner ? task.unit : null) ?? UNKNOWN,
  },
  process: {
    key: 'c',
    noun: 'process',
    plural: 'processes',
    title: 'PROCESS',
    width: 24,
    meaning: 'Name and number of that process (--by process).',
    needsOwner: true,
    labelOf: ({ isOwner, task }) => (isOwner ? `${task.comm ?? UNKNOWN}[${task.pid}]` : UNKNOWN),
  },
  port: {
    key: 'l',
    noun: 'local port',
    plural: 'local ports',
    title: 'LPORT',
    width: 7,
    meaning: 'Port of this host (--by port).',
    labelOf: ({ connection }) => String(connection.flow?.localPort ?? UNKNOWN),
  },
  kind: {
    key: 'k',
    noun: 'kind',
    plural: 'kinds',
    title: 'KIND',
    width: 7,
    meaning: 'Why the segments were sent again: retransmit_kind of the events (--by kind).',
    labelOf: ({ retransmitKind }) => retransmitKind,
  },
} as const satisfies Readonly<Record<string, TopGroup>>;

export type TopGroupName = keyof typeof TOP_GROUPS;
export const TOP_GROUP_NAMES = Object.keys(TOP_GROUPS) as readonly TopGroupName[];

/** The line that tells the keys, for a terminal. */
export const TOP_KEYS = `keys: ${TOP_GROUP_NAMES.map((name) => `${TOP_GROUPS[name].key} ${name}`).join(', ')}, q quit`;
