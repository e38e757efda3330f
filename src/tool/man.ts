/** The man page of a command, out of the same page as its help. */
import { EXIT_CODES, optionText } from './help.ts';
import type { Page } from './page.ts';

/** Nothing that roff would take for a request, and dashes that can be copied. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/, '\\&$1');
}

const SOURCE =
  'Events come from tcp_trace.ko where it is loaded or can be, else from the native tracepoints of Linux 4.16 and newer, through an ftrace instance of its own: any number of tools and the agent run side by side, and the tracing of others is not touched.';
const LOSSES = 'Lost events are told on standard error, with their number.';
const END =
  'It ends by a signal, after --duration, or when nobody reads any more: at once where standard output is a pipe, else with the next line.';

const bold = (text: string): string => `\\fB${roff(text)}\\fR`;
const entry = (term: string, text: string): string[] => ['.TP', term, roff(text)];

export function manPageOf(page: Page): string {
  const { name, synopsis, purpose, description, options, fields, unknown, examples, overhead } = page;
  return `${[
    `.TH KTC\\-${name.toUpperCase()} 8 "" "ktc" "System Administration"`,
    '.SH NAME',
    `ktc\\-${name} \\- ${roff(purpose)}`,
    '.SH SYNOPSIS',
    `${bold(`ktc ${name}`)} ${roff(synopsis)}`,
    '.SH DESCRIPTION',
    roff(description),
    '.PP',
    roff([SOURCE, unknown, LOSSES].filter((sentence) => sentence !== '').join(' ')),
    '.PP',
    roff(END),
    '.SH REQUIREMENTS',
    roff('Root, and tracefs or debugfs; neither with --from.'),
    '.SH OPTIONS',
    ...options.flatMap((option) => entry(bold(optionText(option).trim()), `${option.help}.`)),
    '.SH FIELDS',
    ...fields.flatMap(({ title, meaning }) => entry(bold(title), meaning)),
    '.SH EXAMPLES',
    ...examples.flatMap(({ command, says }) => ['.TP', roff(`${says}:`), bold(`ktc ${command}`)]),
    '.SH OVERHEAD',
    ...overhead.map(roff),
    '.SH EXIT STATUS',
    `${roff(EXIT_CODES)}.`,
    '.SH SEE ALSO',
    roff('docs/tools.md, ktc run --help, ktc record --help'),
  ].join('\n')}\n`;
}
