/** `ktc replay`: a recording through the same pipeline, without root. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EXIT, fail } from './exit.ts';
import { configOptions, configOptionsHelp, parseArguments, readConfig } from './options.ts';
import { runAgent } from './session.ts';

const HELP = `Usage: ktc replay [options] [RECORDING]

Gives the events of a recording again: as a table, or to the sinks of a configuration.
Without RECORDING it plays the one that comes with ktc.

Options:
      --json            NDJSON instead of a table
${configOptionsHelp}  -h, --help            show this help

Exit codes: 0 done, 64 wrong options, 65 the recording is damaged, 69 no such recording,
78 wrong configuration.

Examples:
  ktc replay
  ktc replay --json trouble.ktcrec | jq 'select(.event == "tcp_retransmit")'
  ktc replay --config agent.json trouble.ktcrec
`;

/** Lies beside the bundle. */
const SAMPLE = 'sample.ktcrec';

function sampleRecording(): string {
  return join(dirname(process.argv[1] ?? '.'), SAMPLE);
}

export async function replayCommand(words: readonly string[]): Promise<number> {
  const parsed = parseArguments({
    args: [...words],
    allowPositionals: true,
    options: { ...configOptions, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  if (!parsed.ok) return fail(EXIT.usage, `replay: ${parsed.problem}; ktc replay --help lists the options`);
  const { values, positionals } = parsed;
  if (values.help === true) {
    process.stdout.write(HELP);
    return EXIT.ok;
  }
  if (positionals.length > 1) return fail(EXIT.usage, 'replay: takes one recording; ktc replay --help');
  const recording = positionals[0] ?? sampleRecording();
  if (!existsSync(recording)) return fail(EXIT.unavailable, `there is no recording ${recording}`);
  const toTerminal = values.config === undefined;
  const embedded = {
    source: { kind: 'replay', recording },
    // It can be given again.
    spool: { enabled: false },
    ...(toTerminal && {
      dead_letter: { path: '' },
      sink: { stdout: { enabled: true, format: values.json === true ? 'ndjson' : 'table' } },
      telemetry: { http: { enabled: false } },
      log: { level: 'warn' },
    }),
  };
  // A configuration names its own source; the recording given here wins.
  const set = [...(values.set ?? []), 'source.kind=replay', `source.recording=${recording}`];
  return runAgent(readConfig({ config: values.config ?? null, set }, embedded), { reread: null });
}
