/**
 * Writes tools/NAME_example.txt of every tool: what it prints on a recording of real traffic, so that whoever runs the
 * same command sees the same. Needs the built bin/ktc.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { helpOf, wrap } from '../src/tool/help.ts';
import { pageOf } from '../src/tool/page.ts';
import { TOOL_NAMES, TOOLS, type ToolName } from '../src/tool/tool.ts';

const ROOT = join(import.meta.dirname, '..');
const MODULE = 'test/recordings/module-6.1.ktcrec';
const TRACEPOINTS = 'test/recordings/linux-6.18.ktcrec';
/** Lines of each, its header included. */
const LINES = 8;

interface Run {
  readonly says: string;
  readonly options: string;
  readonly recording?: string;
}

const RUNS: Readonly<Record<ToolName, readonly Run[]>> = {
  tcpaccept: [
    { says: 'Who accepted which connection:', options: '' },
    { says: 'With the time, and only IPv6; -w makes room for the addresses:', options: '-T -w -6 ' },
    {
      says: 'The native tracepoints report completed handshakes, but not the process:',
      options: '',
      recording: TRACEPOINTS,
    },
  ],
  tcpconnect: [
    { says: 'Every connection that a process opens, and the process:', options: '' },
    { says: 'Seconds since the first event, as CSV:', options: '-t --csv ' },
    { says: 'How often this host connects to each destination; -c counts until the end:', options: '-c ' },
  ],
  tcpconnlat: [
    { says: 'How long each connection took to open:', options: '' },
    {
      says: 'Only those that took 100 ms or longer; one second means that the SYN was lost and sent again:',
      options: '100 ',
    },
  ],
  tcplife: [
    { says: 'Each connection when it ends, with the bytes it carried:', options: '' },
    {
      says: 'Only connections of 600 ms or longer, as CSV, with the time of their end:',
      options: '-T -s --min-ms 600 ',
    },
    {
      says: 'The native tracepoints do not report the bytes of a connection; unknown is -, not 0:',
      options: '',
      recording: TRACEPOINTS,
    },
  ],
  tcpretrans: [
    { says: 'Each retransmitted segment:', options: '' },
    { says: 'With tail loss probes (L>) and sequence numbers:', options: '-l -s ' },
    { says: 'Counts per connection, the worst first:', options: '-c ' },
  ],
  tcpstates: [
    { says: 'The states of connections, and how long each state lasts:', options: '' },
    { says: 'Only states that last 400 ms or longer:', options: '--min-ms 400 ' },
  ],
};

function shown({ says, options, recording = MODULE }: Run, name: ToolName): string {
  const command = `ktc ${name} ${options}--from ${recording} | head -n ${LINES}`;
  const { stdout, stderr } = spawnSync('sh', ['-c', command], {
    cwd: ROOT,
    encoding: 'utf8',
    // Times are local; the same for everybody here.
    env: { ...process.env, TZ: 'UTC', PATH: `${join(ROOT, 'bin')}:${process.env['PATH']}` },
  });
  // As on a terminal, where what there is to say comes first.
  return `${says}\n\n$ ${command}\n${stderr}${stdout.trimEnd()}`;
}

export function exampleOf(name: ToolName): string {
  const { description } = TOOLS[name];
  const intro = [
    `Demonstrations of ktc ${name}.`,
    '',
    ...wrap(description),
    '',
    'The output below comes from recordings of real traffic that are part of the sources. Without --from,',
    'the tool shows the TCP of this host.',
  ].join('\n');
  const runs = RUNS[name].map((run) => shown(run, name));
  return `${[intro, ...runs, `$ ktc ${name} --help\n${helpOf(pageOf(TOOLS[name]))}`].join('\n\n')}`;
}

if (import.meta.main ?? process.argv[1] === import.meta.filename) {
  for (const name of TOOL_NAMES) writeFileSync(join(ROOT, 'tools', `${name}_example.txt`), exampleOf(name));
}
