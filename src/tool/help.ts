/** `--help` of a command, from the same page as its man page. */
import type { OptionRow } from './option.ts';
import type { Page } from './page.ts';

const WIDTH = 100;
const OPTION_WIDTH = 24;

export const EXIT_CODES =
  '0 success, 64 wrong options, 65 the recording is damaged, 69 no kernel events or no such recording, 74 standard output cannot be written, 77 not permitted, 128 + N ended by a second signal N before everything was written';

/** `-p, --pid PID`, or `    --wide` for an option without a letter. */
export function optionText({ name, letter, value }: OptionRow): string {
  return `${letter === null ? '    ' : `-${letter}, `}--${name}${value === null ? '' : ` ${value}`}`;
}

/** Breaks a text between words into lines of at most `width` characters. */
export function wrap(text: string, width = WIDTH): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

export function helpOf({ name, synopsis, description, options, unknown, examples }: Page): string {
  const optionLines = options.map((option) => `  ${optionText(option).padEnd(OPTION_WIDTH)}  ${option.help}`);
  const commandWidth = Math.max(...examples.map(({ command }) => command.length));
  const exampleLines = examples.map(
    ({ command, says }) => `  ktc ${command.padEnd(commandWidth)}  # ${says}`,
  );
  return `${[
    `Usage: ktc ${name} ${synopsis}`,
    '',
    ...wrap(description),
    '',
    'Options:',
    ...optionLines,
    '',
    ...(unknown === '' ? [] : [...wrap(unknown), '']),
    ...wrap(`Exit codes: ${EXIT_CODES}.`),
    '',
    'Examples:',
    ...exampleLines,
  ].join('\n')}\n`;
}
