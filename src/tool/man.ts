/** The man page of a command, from the same page as its --help. */
import { EXIT_CODES, optionText } from './help.ts';
import type { Page } from './page.ts';

/** Escapes what roff would read as a request, and writes dashes that can be copied into a terminal. */
export function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/, '\\&$1');
}

const SOURCE =
  'Events come from tcp_trace.ko if it is loaded or can be loaded, otherwise from the native tracepoints of Linux 4.16 and newer. The command uses its own ftrace instance: any number of tools and the agent can run at the same time, and tracing by other programs is not affected.';
const LOSSES = 'The number of lost events is printed on standard error.';
const END =
  'It ends after a signal, after --duration, or when the reader of its output has ended: at once if standard output is a pipe, otherwise with the next line.';

export const bold = (text: string): string => `\\fB${roff(text)}\\fR`;
/** A paragraph with a hanging term, which is roff already. */
export const entry = (term: string, text: string): string[] => ['.TP', term, roff(text)];

/** How every page begins. */
export function manTitle(name: string, purpose: string): string[] {
  return [
    `.TH ${roff(name.toUpperCase())} 8 "" "ktc" "System Administration"`,
    '.SH NAME',
    `${roff(name)} \\- ${roff(purpose)}`,
  ];
}

export function manPageOf(page: Page): string {
  const { name, synopsis, purpose, description, options, fields, unknown, examples, overhead } = page;
  return `${[
    ...manTitle(`ktc-${name}`, purpose),
    '.SH SYNOPSIS',
    `${bold(`ktc ${name}`)} ${roff(synopsis)}`,
    '.SH DESCRIPTION',
    roff(description),
    '.PP',
    roff([SOURCE, unknown, LOSSES].filter((sentence) => sentence !== '').join(' ')),
    '.PP',
    roff(END),
    '.SH REQUIREMENTS',
    roff('Root, and tracefs or debugfs. With --from, neither is needed.'),
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
