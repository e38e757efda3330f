/** What `ktc --help` and the man page ktc(8) say: every command in one line. */
import { bold, entry, roff } from '../tool/man.ts';
import { TOOL_NAMES, TOOLS } from '../tool/tool.ts';

const PURPOSE = 'kernel TCP events as a loss-accounted stream of JSON';

interface CommandLine {
  readonly name: string;
  readonly purpose: string;
}

const COMMANDS: readonly CommandLine[] = [
  { name: 'run', purpose: 'read events and deliver them (--local: see them here)' },
  { name: 'demo', purpose: 'two network namespaces with a lossy link: real retransmits in seconds' },
  { name: 'check', purpose: 'can this host run the agent? what is missing?' },
  { name: 'status', purpose: 'what the running agent reads, delivers and loses' },
  { name: 'config', purpose: 'show, check or describe the configuration' },
  { name: 'spool', purpose: 'look into the events on disk, check them, deliver them without the agent' },
  { name: 'module', purpose: 'build, load, unload or look at the kernel module tcp_trace.ko' },
  { name: 'record', purpose: 'keep what the kernel says in a file' },
  { name: 'replay', purpose: 'give a recording again, without root' },
  { name: 'report', purpose: 'one page of events: who causes the retransmits, where, since when' },
];

const TOOL_LINES: readonly CommandLine[] = [
  ...TOOL_NAMES.map((name) => ({ name, purpose: TOOLS[name].purpose })),
  { name: 'top', purpose: 'the peers with the most retransmits, drawn again and again' },
];

const EXIT_STATUS: readonly (readonly [code: string, meaning: string])[] = [
  ['0', 'Done.'],
  ['1', 'The answer is no: a check failed, the agent is not ready, events are left in the spool.'],
  ['64', 'Wrong options or arguments.'],
  ['65', 'An input is damaged, such as a recording.'],
  ['69', 'Something necessary is missing: no agent answers, no kernel events, no such topic.'],
  ['70', 'A bug; the message asks to report it.'],
  ['74', 'Reading or writing failed.'],
  ['77', 'Not permitted: not root, or a file of another owner.'],
  ['78', 'The configuration is wrong; every mistake was printed.'],
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
  commands.map(({ name, purpose }) => `  ${name.padEnd(width)}  ${purpose}\n`).join('');

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
    entries(commands.map(({ name, purpose }) => [`ktc ${name}`, purpose]));
  return `${[
    '.TH KTC 8 "" "ktc" "System Administration"',
    '.SH NAME',
    `ktc \\- ${roff(PURPOSE)}`,
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
    ...entries(EXIT_STATUS),
    '.SH SEE ALSO',
    [...TOOL_LINES, { name: 'report' }].map(({ name }) => `${bold(`ktc-${name}`)}(8)`).join(', '),
  ].join('\n')}\n`;
}
