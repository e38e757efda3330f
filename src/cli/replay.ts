/** `ktc replay`: sends a recording through the same pipeline, without root. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createCommand } from './command.ts';
import { EXIT, fail } from './exit.ts';
import { configOptions, configOptionsHelp, readConfig } from './options.ts';
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

/** The file beside the bundle. */
const SAMPLE = 'sample.ktcrec';

function sampleRecording(): string {
  return join(dirname(process.argv[1] ?? '.'), SAMPLE);
}

export const replayCommand = createCommand({
  name: 'replay',
  help: HELP,
  options: { ...configOptions, json: { type: 'boolean' } },
  takesWords: true,
  run({ config, set = [], json }, [recording = sampleRecording(), ...more]) {
    if (more.length > 0) return fail(EXIT.usage, 'replay: takes one recording; ktc replay --help');
    if (!existsSync(recording)) return fail(EXIT.unavailable, `there is no recording ${recording}`);
    const toTerminal = config === undefined;
    const embedded = {
      source: { kind: 'replay', recording },
      // A replay needs no spool: it can be repeated.
      spool: { enabled: false },
      ...(toTerminal && {
        dead_letter: { path: '' },
        sink: { stdout: { enabled: true, format: json === true ? 'ndjson' : 'table' } },
        telemetry: { http: { enabled: false } },
        log: { level: 'warn' },
      }),
    };
    // A configuration names its own source; the recording given here overrides it.
    const flags = [...set, 'source.kind=replay', `source.recording=${recording}`];
    return runAgent(readConfig({ config: config ?? null, set: flags }, embedded), { reread: null });
  },
});
