/** `ktc top`: the peers with the most retransmits, as a picture that is drawn again and again. */
import { toolSession } from '../agent/tool-session.ts';
import { toWallMilliseconds } from '../source/clock.ts';
import { readChoice } from '../tool/choice.ts';
import { createFilter, probesOf } from '../tool/filter.ts';
import { helpOf } from '../tool/help.ts';
import { parserOptions } from '../tool/option.ts';
import { TOOLS, type Tool } from '../tool/tool.ts';
import { createTop } from '../tool/top.ts';
import { TOP_PAGE } from '../tool/top-page.ts';
import type { Facts, View } from '../tool/view.ts';
import { createCommand, usageError } from './command.ts';
import { say } from './exit.ts';
import { recordingError, TOOL_INSTANCE, toolConfig, toolExitCode } from './tool.ts';

/** The events of tcpretrans, without the owner of a connection: that would cost a record for each that is opened. */
const TOP: Tool = {
  ...TOOLS.tcpretrans,
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

/** Draws until the end, or is silent until then; at the end it prints the last table. */
function topView(
  facts: Facts,
  wants: ReturnType<typeof createFilter>,
  { interval, draws, trouble }: { interval: number; draws: boolean; trouble: () => string | null },
): View {
  const { clock, isLive } = facts;
  const top = createTop({ interval, start: isLive ? clock.now() : null });
  let lastTime = 0;
  let isFirst = true;
  const now = () => (isLive ? clock.now() : lastTime);
  const frame = (): string => {
    const { rows = DEFAULT_ROWS, columns = 80 } = process.stdout;
    const wall = new Date(toWallMilliseconds(clock, now())).toTimeString().slice(0, 8);
    const [about = '', ...table] = top.lines(now(), rows - 4);
    const lines = [`ktc top  ${wall}  ${about}`, trouble() ?? '', ...table];
    return lines.map((line) => `${line.slice(0, columns)}\x1b[K\n`).join('');
  };
  return {
    event(draft) {
      lastTime = draft.time;
      if (wants(draft)) top.add(draft);
    },
    take() {
      if (!draws) return '';
      const start = isFirst ? ENTER : '';
      isFirst = false;
      return `${start}${DRAW}${frame()}${CLEAR_REST}`;
    },
    end: () => `${draws ? LEAVE : ''}${top.lines(now(), PRINTED_ROWS).join('\n')}\n`,
  };
}

export const topCommand = createCommand({
  name: 'top',
  help: helpOf(TOP_PAGE),
  options: parserOptions(TOP_PAGE.options),
  async run(values) {
    const read = readChoice(TOP, { ...values, 'loss-probes': true }, []);
    if (!read.ok) return usageError('top', read.problem);
    const choice = read.value;
    const interval = Number(values['interval'] ?? 1);
    if (!(interval >= 0.1 && interval <= 3600))
      return usageError('top', '--interval goes from 0.1 to 3600 seconds');
    const result = toolConfig('top', choice, probesOf(TOP, choice));
    if (!result.ok) return recordingError(choice, result);
    const draws = process.stdout.isTTY === true && values['once'] !== true && choice.from === null;
    const endsByItself = draws || Number.isFinite(choice.seconds) || choice.from !== null;
    let trouble: string | null = null;
    const end = await toolSession({
      config: result.value.config,
      events: new Set([TOP.event]),
      seconds: endsByItself ? choice.seconds : interval,
      staleInstances: TOOL_INSTANCE,
      stdout: process.stdout,
      say(line) {
        // A line on standard error would tear the picture.
        if (draws) trouble = line;
        else say(line);
      },
      view: (_, facts) =>
        topView(facts, createFilter(TOP, choice, { uidOf: () => null }), {
          interval: interval * 1e9,
          draws,
          trouble: () => trouble,
        }),
      everyMs: interval * 1000,
    });
    return toolExitCode(end);
  },
});
