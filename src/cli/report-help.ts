/** What --help and the man page of `ktc report` say. */
import { wrap } from '../tool/help.ts';
import { bold, entry, manTitle, roff } from '../tool/man.ts';
import { configOptionsHelp } from './options.ts';

interface Entry {
  readonly term: string;
  readonly text: string;
}

export const REPORT_HELP = {
  purpose: 'one page of events: who causes the retransmits, where, since when',
  usage: [
    'ktc report [options] [FILE|DIRECTORY …]',
    'ktc report --topic TOPIC [--brokers LIST | configuration] [options]',
  ],
  description: [
    'Makes one page of events: who causes the retransmits, between which racks, of which service, since when, and whether anything is missing. The page is one file, needs no network, and can be forwarded.',
    'It reads NDJSON (also compressed with gzip or zstd), recordings, the directory of a spool, a Kafka topic, or, without a name or with -, standard input. Events that come twice count once.',
  ],
  options: [
    {
      term: '-o, --output FILE',
      text: 'write the page there; default ktc-report.html, - is standard output',
    },
    { term: '    --text', text: 'headlines and the first rows of the tables instead, for a terminal' },
    { term: '    --json', text: 'headlines and all tables instead, for a script' },
    {
      term: '    --since TIME',
      text: 'only events since then: 2h (ago), 14:02 (UTC, today), 2026-11-29T14:02:00Z',
    },
    { term: '    --until TIME', text: 'only events before then' },
    { term: '    --topic TOPIC', text: 'read this topic, from --since to its end; may be repeated' },
    {
      term: '    --brokers LIST',
      text: 'of these brokers (host:port,host:port) instead of those of the configuration',
    },
    {
      term: '    --peers N',
      text: 'peers with a row of their own, those with the most retransmits; default 5000',
    },
  ],
  exitCodes:
    '0 done, 64 wrong options, 65 an input is damaged or has no event, 69 no such file or topic, 74 reading or writing failed, 77 not permitted, 78 wrong configuration',
  examples: [
    { term: 'ktc report ktc-events.ndjson', text: 'The page of a file, as ktc-report.html' },
    {
      term: 'ktc report --text /var/lib/ktc/spool',
      text: 'What waits in the spool of this host, in the terminal',
    },
    {
      term: 'ktc report --topic ktc-events --brokers kafka1:9092 --since 2h -o last-two-hours.html',
      text: 'The last two hours of a topic',
    },
    {
      term: "zcat events.ndjson.gz | ktc report --json | jq -r '.headlines[].text'",
      text: 'The headlines, for a script',
    },
  ],
} as const satisfies {
  readonly purpose: string;
  readonly usage: readonly string[];
  readonly description: readonly string[];
  readonly options: readonly Entry[];
  readonly exitCodes: string;
  readonly examples: readonly Entry[];
};

const WIDTH = 112;

const wrapped = (text: string): string => wrap(text, WIDTH).join('\n');

export function reportHelpText(): string {
  const { usage, description, options, exitCodes, examples } = REPORT_HELP;
  return `Usage: ${usage.join('\n       ')}

${description.map(wrapped).join('\n\n')}

Options:
${options.map(({ term, text }) => `  ${term.padEnd(20)}  ${text}\n`).join('')}${configOptionsHelp}  -h, --help            show this help

${wrapped(`Exit codes: ${exitCodes}.`)}

Examples:
${examples.map(({ term }) => `  ${term}\n`).join('')}`;
}

/** man/ktc-report.8, which `make docs` writes. */
export function reportManPage(): string {
  const { purpose, usage, description, options, exitCodes, examples } = REPORT_HELP;
  const configuration = 'of the agent, where the brokers and the login are: ktc run --help';
  return `${[
    ...manTitle('ktc-report', purpose),
    '.SH SYNOPSIS',
    ...usage.flatMap((line) => [bold(line), '.br']),
    '.SH DESCRIPTION',
    description.map(roff).join('\n.PP\n'),
    '.SH OPTIONS',
    ...options.flatMap(({ term, text }) => entry(bold(term.trim()), `${text}.`)),
    ...entry(bold('-c, --config FILE, --set PATH=VALUE'), `${configuration}.`),
    '.SH EXAMPLES',
    ...examples.flatMap(({ term, text }) => ['.TP', roff(`${text}:`), bold(term)]),
    '.SH EXIT STATUS',
    `${roff(exitCodes)}.`,
    '.SH SEE ALSO',
    roff('docs/report.md'),
  ].join('\n')}\n`;
}
