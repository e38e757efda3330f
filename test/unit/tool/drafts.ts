/** Drafts as connection tracking gives them, and what a tool makes of them. */
import { createConnection } from '../../../src/event/connection/connection.ts';
import { createDraft, type EventDraft } from '../../../src/event/draft.ts';
import { type Choice, type OptionValues, readChoice } from '../../../src/tool/choice.ts';
import { createPrinter } from '../../../src/tool/printer.ts';
import { TOOLS, type ToolName } from '../../../src/tool/tool.ts';
import type { Facts } from '../../../src/tool/view.ts';
import { taskOf } from '../../support/tasks.ts';

/** 2026-11-24 02:13:07 UTC is trace time 0. */
export const START_SECONDS = 1_795_486_387;

const FACTS: Facts = {
  clock: {
    epoch: { high: 0, low: 0 },
    wallSeconds: START_SECONDS,
    wallNanoseconds: 0,
    now: () => 0,
    follow: () => 0,
  },
  kernel: { hostName: 'h', hostId: 'i', bootId: 'b', release: 'r' },
  session: 's',
  isLive: false,
};

export interface DraftFields extends Partial<Omit<EventDraft, 'connection'>> {
  readonly version?: 4 | 6;
  readonly local?: string;
  readonly localPort?: number | null;
  readonly remote?: string | null;
  readonly remotePort?: number | null;
  readonly socket?: number;
}

export function draftOf(fields: DraftFields): EventDraft {
  const {
    version = 4,
    local = '10.17.4.9',
    localPort = 5432,
    remote = '10.17.9.201',
    remotePort = 41_822,
    socket = 0x8881f90a1bc0,
    ...rest
  } = fields;
  const connection = createConnection(socket, 's-1', 'active');
  connection.flow = {
    version,
    localAddress: local,
    localPort,
    remoteAddress: remote,
    remotePort,
    communityId: null,
  };
  return {
    ...createDraft(),
    task: taskOf(4242, 'postgres'),
    isOwner: true,
    ...rest,
    connection,
  };
}

export function choiceOf(tool: ToolName, values: OptionValues = {}, positionals: string[] = []): Choice {
  const read = readChoice(TOOLS[tool], values, positionals);
  if (!read.ok) throw new Error(read.problem);
  return read.value;
}

/** The lines that a tool prints, its header first. */
export function print(tool: ToolName, values: OptionValues, drafts: readonly EventDraft[]): string[] {
  const printer = createPrinter(TOOLS[tool], choiceOf(tool, values), FACTS);
  for (const draft of drafts) printer.event({ ...draft, kind: TOOLS[tool].event });
  const text = printer.take() + printer.end();
  return text === '' ? [] : text.trimEnd().split('\n');
}
