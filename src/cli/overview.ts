/** What `ktc --help` and the man page ktc(8) say: every command in one line. */
import { bold, entry, manTitle, roff } from '../tool/man.ts';
import { TOOL_NAMES, TOOLS } from '../tool/tool.ts';
import { TOP_PAGE } from '../tool/top-page.ts';
import { EXIT_MEANINGS } from './exit.ts';
import { REPORT_HELP } from './report-help.ts';

const PURPOSE = 'kernel TCP events as a loss-accounted stream of JSON';

/** Of every command but the tools. */
const PURPOSES = {
  run: 'read events and deliver them (--local: see them here)',
  demo: 'two network namespaces with a lossy link: real retransmits in seconds',
  check: 'can this host run the agent? what is missing?',
  status: 'what the running agent reads, delivers and loses',
  config: 'show, check or describe the configuration',
  spool: 'look into the events on disk, check them, deliver them without the agent',
  module: 'build, load, unload or look at the kernel module tcp_trace.ko',
  record: 'keep what the kernel says in a file',
  replay: 'give a recording again, without root',
  report: REPORT_HELP.purpose,
} as const;

export type CommandName = keyof typeof PURPOSES;

type CommandLine = readonly [name: string, purpose: string];

const COMMANDS: readonly CommandLine[] = Object.entries(PURPOSES);

const TOOL_LINES: readonly CommandLine[] = [
  ...TOOL_NAMES.map((name) => [name, TOOLS[name].purpose] as const),
  ['top', TOP_PAGE.purpose],
];

const FILES: readonly (readonly [path: string, meaning: string])[] = [
  [
    '/etc/ktc/agent.json, /etc/ktc/conf.d/*.json',
    'The configuration: later files win. ktc config show names the file of each value.',
  ],
  [
    '/etc/sysconfig/ktc-agent, /etc/default/ktc-agent',
    'Variables KTC_* for the service, and whether an upgrade restarts it.',
  ],
  ['/var/lib/ktc/spool', 'Events that the sinks have not acknowledged yet.'],
  ['/usr/share/doc/ktc-agent/docs', 'The documentation, one page per subject.'],
];

const lines = (commands: readonly CommandLine[], width: number): string =>
  commands.map(([name, purpose]) => `  ${name.padEnd(width)}  ${purpose}\n`).join('');

export function overviewText(version: string): string {
  return `Usage: ktc COMMAND [options]

${PURPOSE.replace(/^k/, 'K')}.

Commands:
${lines(COMMANDS, 8)}
What one types after logging in to a host:
${lines(TOOL_LINES, 10)}
ktc COMMAND --help tells more. ktc --version prints ${version}.
`;
}

/** man/ktc.8, which `make docs` writes. */
export function overviewManPage(): string {
  const entries = (rows: readonly (readonly [string, string])[]) =>
    rows.flatMap(([term, text]) => entry(bold(term), text));
  const purposes = (commands: readonly CommandLine[]) =>
    entries(commands.map(([name, purpose]) => [`ktc ${name}`, purpose]));
  return `${[
    ...manTitle('ktc', PURPOSE),
    '.SH SYNOPSIS',
    `${bold('ktc')} ${roff('COMMAND [options]')}`,
    '.SH DESCRIPTION',
    roff(
      'The agent reads what TCP does on this host from the kernel and delivers it to Kafka, to OpenTelemetry or to a file. Every event that the kernel recorded is either acknowledged by the destination or counted, by reason, as lost.',
    ),
    '.SH COMMANDS',
    ...purposes(COMMANDS),
    '.SS Tools',
    ...purposes(TOOL_LINES),
    '.PP',
    roff('Each tells more with --help.'),
    '.SH FILES',
    ...entries(FILES),
    '.SH EXIT STATUS',
    ...entries(Object.entries(EXIT_MEANINGS)),
    '.SH SEE ALSO',
    [...TOOL_LINES.map(([name]) => name), 'report'].map((name) => `${bold(`ktc-${name}`)}(8)`).join(', '),
  ].join('\n')}\n`;
}
