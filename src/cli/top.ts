/** `ktc top`: the peers with the most retransmits, for when one would rather look than read. */
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
import { EXIT, fail } from './exit.ts';
import { parseArguments } from './options.ts';
import { exitCode, say, TOOL_INSTANCE, toolConfig } from './tool.ts';

/** What tcpretrans takes, but for whose connection it is, which costs a record for each that is opened. */
const TOP: Tool = {
  ...TOOLS.tcpretrans,
  probes: { tcp_retransmit_skb: '', tcp_retransmit_synack: '', tcp_send_loss_probe: '' },
};

const DRAW = '\x1b[H';
const CLEAR_REST = '\x1b[J';
/** The other screen, so that what was there comes back; and no cursor on it. */
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
/** Where nothing tells how high the terminal is. */
const DEFAULT_ROWS = 24;
/** Of a table that is printed. */
const PRINTED_ROWS = 20;

/** Draws until the end, where it leaves the last table behind; or is silent until then. */
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

export async function topCommand(words: readonly string[]): Promise<number> {
  const usage = (problem: string) => fail(EXIT.usage, `top: ${problem}; ktc top --help lists the options`);
  const parsed = parseArguments({ args: [...words], options: parserOptions(TOP_PAGE.options) });
  if (!parsed.ok) return usage(parsed.problem);
  const { values } = parsed;
  if (values['help'] === true) {
    process.stdout.write(helpOf(TOP_PAGE));
    return EXIT.ok;
  }
  const read = readChoice(TOP, { ...values, 'loss-probes': true }, []);
  if (!read.ok) return usage(read.problem);
  const { choice } = read;
  const interval = Number(values['interval'] ?? 1);
  if (!(interval >= 0.1 && interval <= 3600)) return usage('--interval goes from 0.1 to 3600 seconds');
  const result = toolConfig('top', choice, probesOf(TOP, choice));
  // Of all that is in it, only the recording comes from the user.
  if (!result.ok) {
    return fail(EXIT.unavailable, ...result.problems.map(({ problem }) => `${choice.from} ${problem}`));
  }
  const draws = process.stdout.isTTY === true && values['once'] !== true && choice.from === null;
  let trouble: string | null = null;
  const end = await toolSession({
    config: result.config,
    events: new Set([TOP.event]),
    seconds: draws || Number.isFinite(choice.seconds) || choice.from !== null ? choice.seconds : interval,
    staleInstances: TOOL_INSTANCE,
    stdout: process.stdout,
    say(line) {
      // A line of another stream would tear the picture.
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
  return exitCode(end);
}
