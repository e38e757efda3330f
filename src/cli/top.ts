/** `ktc top`: who has the most retransmits, as a picture that is drawn again and again. */
import { toolSession } from '../agent/tool-session.ts';
import { toWallMilliseconds } from '../source/clock.ts';
import { readChoice } from '../tool/choice.ts';
import { createFilter, probesOf } from '../tool/filter.ts';
import { helpOf } from '../tool/help.ts';
import { parserOptions } from '../tool/option.ts';
import { TOOLS, type Tool } from '../tool/tool.ts';
import { createTop, type Top } from '../tool/top.ts';
import {
  TOP_GROUP_NAMES,
  TOP_GROUPS,
  TOP_KEYS,
  type TopGroup,
  type TopGroupName,
} from '../tool/top-group.ts';
import { TOP_PAGE } from '../tool/top-page.ts';
import type { Facts, View } from '../tool/view.ts';
import { createCommand, usageError } from './command.ts';
import { say } from './exit.ts';
import { listenForKeys } from './keys.ts';
import { recordingError, TOOL_INSTANCE, toolConfig, toolExitCode } from './tool.ts';

/** The events of tcpretrans, with the owner of each connection. */
const WITH_OWNERS: Tool = TOOLS.tcpretrans;
/** Without it: that costs a record for each connection that is opened. */
const WITHOUT_OWNERS: Tool = {
  ...WITH_OWNERS,
  probes: { tcp_retransmit_skb: '', tcp_retransmit_synack: '', tcp_send_loss_probe: '' },
};

const DRAW = '\x1b[H';
const CLEAR_REST = '\x1b[J';
/** The alternate screen, so that the text on the normal one comes back; and no cursor on it. */
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
/** Where the height of the terminal is not known. */
const DEFAULT_ROWS = 24;
/** The rows of a table that is printed. */
const PRINTED_ROWS = 20;

interface TopView extends View {
  /** Shows another group, if it is counted. */
  choose(group: TopGroup): void;
}

interface TopViewOptions {
  readonly wants: ReturnType<typeof createFilter>;
  /** What is shown first. */
  readonly group: TopGroup;
  readonly interval: number;
  readonly draws: boolean;
  readonly trouble: () => string | null;
}

/** Draws until the end, or is silent until then; at the end it prints the last table. */
function topView({ clock, isLive }: Facts, options: TopViewOptions): TopView {
  const { wants, interval, draws, trouble } = options;
  const start = isLive ? clock.now() : null;
  // At a key, a group shows what it has counted since the start.
  const groups: readonly TopGroup[] = draws ? Object.values(TOP_GROUPS) : [options.group];
  const tops = new Map(groups.map((group) => [group, createTop({ group, interval, start })]));
  let top = tops.get(options.group) as Top;
  let lastTime = 0;
  let isFirst = true;
  const now = () => (isLive ? clock.now() : lastTime);
  const frame = (): string => {
    const { rows = DEFAULT_ROWS, columns = 80 } = process.stdout;
    const wall = new Date(toWallMilliseconds(clock, now())).toTimeString().slice(0, 8);
    const [about = '', ...table] = top.lines(now(), rows - 4);
    const lines = [`ktc top  ${wall}  ${about}`, trouble() ?? TOP_KEYS, ...table];
    return lines.map((line) => `${line.slice(0, columns)}\x1b[K\n`).join('');
  };
  return {
    event(draft) {
      lastTime = draft.time;
      if (wants(draft)) for (const each of tops.values()) each.add(draft);
    },
    take() {
      if (!draws) return '';
      const enter = isFirst ? ENTER : '';
      isFirst = false;
      return `${enter}${DRAW}${frame()}${CLEAR_REST}`;
    },
    end: () => `${draws ? LEAVE : ''}${top.lines(now(), PRINTED_ROWS).join('\n')}\n`,
    choose(group) {
      top = tops.get(group) ?? top;
    },
  };
}

/** Takes the keys that choose what is shown, and the one that ends. */
function takeKeys(view: TopView): () => void {
  return listenForKeys((key) => {
    if (key === 'q') process.kill(process.pid, 'SIGINT');
    const name = TOP_GROUP_NAMES.find((each) => TOP_GROUPS[each].key === key);
    if (name !== undefined) view.choose(TOP_GROUPS[name]);
  });
}

function groupOf(by: unknown): TopGroupName | null {
  return TOP_GROUP_NAMES.find((name) => name === (by ?? 'peer')) ?? null;
}

export const topCommand = createCommand({
  name: 'top',
  help: helpOf(TOP_PAGE),
  options: parserOptions(TOP_PAGE.options),
  async run(values) {
    const read = readChoice(WITH_OWNERS, { ...values, 'loss-probes': true }, []);
    if (!read.ok) return usageError('top', read.problem);
    const choice = read.value;
    const name = groupOf(values['by']);
    if (name === null) return usageError('top', `--by is one of ${TOP_GROUP_NAMES.join(', ')}`);
    const group: TopGroup = TOP_GROUPS[name];
    const interval = Number(values['interval'] ?? 1);
    if (!(interval >= 0.1 && interval <= 3600))
      return usageError('top', '--interval goes from 0.1 to 3600 seconds');
    const draws = process.stdout.isTTY === true && values['once'] !== true && choice.from === null;
    const tool = draws || group.needsOwner === true ? WITH_OWNERS : WITHOUT_OWNERS;
    const result = toolConfig('top', choice, probesOf(tool, choice));
    if (!result.ok) return recordingError(choice, result);
    const endsByItself = draws || Number.isFinite(choice.seconds) || choice.from !== null;
    let trouble: string | null = null;
    let forgetKeys = (): void => {};
    try {
      const end = await toolSession({
        config: result.value.config,
        events: new Set([tool.event]),
        seconds: endsByItself ? choice.seconds : interval,
        staleInstances: TOOL_INSTANCE,
        stdout: process.stdout,
        say(line) {
          // A line on standard error would tear the picture.
          if (draws) trouble = line;
          else say(line);
        },
        view(_, facts) {
          const wants = createFilter(tool, choice, { uidOf: () => null });
          const options = { wants, group, interval: interval * 1e9, draws, trouble: () => trouble };
          const view = topView(facts, options);
          if (draws) forgetKeys = takeKeys(view);
          return view;
        },
        everyMs: interval * 1000,
      });
      return toolExitCode(end);
    } finally {
      forgetKeys();
    }
  },
});
