/** What `ktc top` takes and tells: its options, and all that --help and its man page say. */
import { OPTIONS, type OptionRow } from './option.ts';
import type { Page } from './page.ts';
import { TOP_COLUMNS } from './top.ts';

/** An option that the tools have too; with a text of its own where it means something else here. */
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
  purpose: 'the peers with the most retransmits',
  description:
    'Shows the peers with the most retransmits, the worst first, again and again: how many a second in the last interval and over the last 30, their share of all, and how it went. Ctrl-C ends it, and what was seen last stays. Where standard output is no terminal it prints one table, as with --once.',
  options: [
    {
      name: 'interval',
      letter: 'i',
      value: 'S',
      help: 'how often it is drawn, and what one bar stands for (1)',
    },
    {
      name: 'once',
      letter: null,
      value: null,
      help: 'watch for one interval, or for --duration, and print one table',
    },
    shared('local-port', null),
    shared('remote-port', null),
    shared('ipv4', '4'),
    shared('ipv6', '6'),
    shared('duration', null),
    shared('from', null, 'one table of a recording of ktc record, without root'),
    shared('source', null),
    shared('help', 'h'),
  ],
  fields: TOP_COLUMNS.map(({ title, meaning }) => ({ title, meaning })),
  unknown: '',
  examples: [
    { command: 'top', says: 'the worst peers, drawn every second' },
    { command: 'top -i 5 --remote-port 443', says: 'those of one remote port, every five' },
    { command: 'top --once --duration 10', says: 'one table, of ten seconds' },
  ],
  overhead: ['One record for a segment that is sent again.', 'It draws and sleeps in between.'],
};
