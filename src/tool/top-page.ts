/** The facts that --help and the man page of `ktc top` are made from. */
import { OPTIONS, type OptionRow } from './option.ts';
import type { Page } from './page.ts';
import { TOP_COLUMNS } from './top.ts';
import { TOP_GROUP_NAMES, TOP_GROUPS } from './top-group.ts';

/** An option that the tools have too; with another text where it means something else here. */
function shared(
  name: keyof typeof OPTIONS,
  letter: string | null,
  help: string = OPTIONS[name].help,
): OptionRow {
  return { name, letter, value: OPTIONS[name].value, help };
}

export const TOP_PAGE: Page = {
  name: 'top',
  synopsis: '[options]',
  purpose: 'who has the most retransmits: peers, units, processes, ports or kinds',
  description:
    'Shows the peers with the most retransmits, the worst first, and redraws the list every interval: the rate in the last interval and over the last 30 intervals, the share of all retransmits, and the history as bars. With --by, or at a key, it shows units, processes, local ports or kinds of retransmits instead. Ctrl-C or q ends it and leaves the last table on the terminal. If standard output is not a terminal, it prints one table, as with --once.',
  options: [
    {
      name: 'interval',
      letter: 'i',
      value: 'S',
      help: 'seconds between two redraws, and length of one bar (1)',
    },
    {
      name: 'once',
      letter: null,
      value: null,
      help: 'watch for one interval, or for --duration; print one table',
    },
    {
      name: 'by',
      letter: null,
      value: 'WHAT',
      help: `${TOP_GROUP_NAMES.join(', ')}; on a terminal also at the keys ${TOP_GROUP_NAMES.map((name) => TOP_GROUPS[name].key).join(', ')} (peer)`,
    },
    shared('local-port', null),
    shared('remote-port', null),
    shared('ipv4', '4'),
    shared('ipv6', '6'),
    shared('duration', null),
    shared('from', null, 'print one table of a recording of ktc record, without root'),
    shared('source', null),
    shared('help', 'h'),
  ],
  fields: [...Object.values(TOP_GROUPS), ...TOP_COLUMNS].map(({ title, meaning }) => ({ title, meaning })),
  unknown: '',
  examples: [
    { command: 'top', says: 'the worst peers, redrawn every second' },
    { command: 'top -i 5 --remote-port 443', says: 'only one remote port, redrawn every five seconds' },
    { command: 'top --once --duration 10', says: 'one table for ten seconds' },
    { command: 'top --by unit', says: 'the services whose connections are worst' },
  ],
  overhead: [
    'One record per retransmitted segment. On a terminal, and by unit or process, also one per connection that this host opens or, with tcp_trace.ko, accepts: it gives the owner of the connection.',
    'It sleeps between two redraws.',
  ],
};
