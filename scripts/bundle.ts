/** The agent as one JavaScript file, and the launcher that runs it: for a checkout's bin/ and for the packages. */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build, type Metafile, type Plugin } from 'esbuild';
import { CLEARED_NAMES, CLEARED_VARIABLES } from '../src/agent/environment.ts';
import { makeReportPage } from './report-page.ts';

/** The file beside the bundle; src/cli/report.ts looks for it there. */
export const REPORT_PAGE = 'report.html';

export interface BundleOptions {
  readonly output: string;
  readonly version: string;
}

/**
 * Modules of Node.js that not every agent uses, or only for a moment: each takes 0.5 to 5 MB of resident memory once it is
 * loaded. By the names that our code, kafkajs (crypto) and pino (assert) have for them.
 */
const ON_USE = [
  'assert',
  'crypto',
  'node:child_process',
  'node:crypto',
  'node:fs/promises',
  'node:http',
  'node:http2',
  'node:https',
  'node:tls',
];

/** Loads a module of `ON_USE` when something of it is used. */
const modulesOnUse: Plugin = {
  name: 'modules-on-use',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: new RegExp(`^(${ON_USE.join('|')})$`) }, ({ path }) => ({
      path,
      namespace: 'on-use',
    }));
    onLoad({ filter: /./, namespace: 'on-use' }, ({ path }) => ({ contents: onUse(path) }));
  },
};

function onUse(name: string): string {
  const builtin: unknown = process.getBuiltinModule(name);
  const stand = typeof builtin === 'function' ? '(...given) => load()(...given)' : '{}';
  return `const load = () => process.getBuiltinModule(${JSON.stringify(name)});
module.exports = ${stand};
for (const name of ${JSON.stringify(Object.keys(Object(builtin)))})
  Object.defineProperty(module.exports, name, { get: () => load()[name], enumerable: true });`;
}

/**
 * Writes the bundle, and beside it the page that `ktc report` fills. Gives the files of node_modules whose code is in them,
 * relative to the root of the repository.
 */
export async function bundle({ output, version }: BundleOptions): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: ['src/cli/main.ts'],
    outfile: output,
    bundle: true,
    platform: 'node',
    // The oldest Node.js that a package can be built with: see packaging/runtime.ts.
    target: 'node22.20',
    format: 'cjs',
    legalComments: 'none',
    // V8 keeps the text in memory: 0.7 MB less without indentation. Names, and lines that can be read, are for stack traces.
    minifyWhitespace: true,
    lineLimit: 120,
    define: { KTC_VERSION: JSON.stringify(version) },
    logLevel: 'warning',
    metafile: true,
    plugins: [modulesOnUse],
  });
  const page = await makeReportPage();
  writeFileSync(join(dirname(output), REPORT_PAGE), page.html);
  return [metafile, ...page.metafiles].flatMap(modulesOf);
}

function modulesOf({ outputs }: Metafile): string[] {
  const used = Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0),
  );
  return used.map(([path]) => path).filter((path) => path.startsWith('node_modules/'));
}

/**
 * How the agent wants V8, for its launcher and for the benches.
 *
 * V8's helper threads cost more CPU in waking and stealing than they save: without them an event took 13.5 µs at 10,000
 * events/s instead of 17.3 (bench/kafka.ts), and was delivered no later. Semi-spaces of 1 MiB, because nothing of an event
 * lives long, and because V8 counts the buffers of batches against the old generation until the next scavenge frees them.
 * With 4 MiB, that came so late that 15 s at 10,000 events/s had 26 to 32 full collections of 20 to 30 ms each, and an event
 * cost 5.1 to 5.4 µs; with 1 MiB they are 6 to 8, and an event costs 4.3 µs (gzip, Node.js 26).
 *
 * The old generation begins small and grows by half before it is collected, which is some 4 s at 10,000 events/s. V8's own
 * choice would be 28 MB at the start. With 10 MB it is collected once while the agent starts: with 12 it is not, or only at
 * the end, and an agent that has had nothing to do has 3 MB more. `--optimize-for-size` instead lets it grow by so little
 * that an event costs 12.3 to 14.3 µs at 1,000 events/s instead of 9.4 to 10.6, for the same peak of some 98 MB at 10,000
 * events/s. Code that is seldom run stays compiled, because what is run once a round, four times a second, would be flushed
 * and compiled again and again: in the third minute at 1,000 events/s, an event costs 8.4 µs instead of 9.9.
 *
 * Tried as well: `--lite-mode` saves 10 MB of Node.js' own code, but an event costs three times as much; `--no-maglev` saves
 * 4 MB, but an event costs some 15 % more; `--maglev-as-top-tier` saves nothing, and an event costs some 15 % more;
 * `--v8-pool-size=1` and `--no-memory-pool` save nothing once the agent has started, and `--no-short-builtin-calls` nothing
 * of an empty program; `--no-memory-reducer` and `--retain-maps-for-n-gc` change nothing at 100 events/s, though each
 * collection for less memory throws code away.
 */
export const NODE_FLAGS = [
  '--single-threaded-gc',
  '--max-semi-space-size=1',
  '--initial-heap-size=10',
  '--heap-growing-percent=50',
  '--no-flush-bytecode',
];

/**
 * What the launcher looks at before it starts Node.js, which would end with a trace of its own, or without a word, where one of
 * these is too small. Found by trying: Node.js 26 starts with 22 descriptors, 1.5 GiB of addresses (most of them are never
 * used) and 128 KiB of stack.
 */
const LIMITS = [
  { shown: '-H -n', least: 64, what: 'open files', remedy: 'ulimit -n 1024, LimitNOFILE=' },
  { shown: '-v', least: 2_097_152, what: 'address space in KiB', remedy: 'ulimit -v unlimited, LimitAS=' },
  { shown: '-s', least: 1024, what: 'the stack in KiB', remedy: 'ulimit -s 8192, LimitSTACK=' },
] as const;

/**
 * A shell script that becomes the agent. `preparation` are its lines that set `home`, the directory of the bundle, from
 * `$here`, the directory of the script; `command` are the shell words that run Node.js.
 */
export function launcher(preparation: string, command: string): string {
  // One arena for malloc instead of one per thread: 10 MB less, for the same CPU. What is free at its end goes back to the
  // kernel: 2 MB less, of what the start and V8's compilers took, for the same CPU at 10,000 and 50,000 events/s.
  return `#!/bin/sh
# The agent holds passwords: no core files of it, unless somebody asks for them (prlimit), and no debugger that SIGUSR1
# would open to everybody on the host. A limit of 1 byte (LimitCORE=1), shown as 0 blocks, keeps away more than 0 does.
[ "$(ulimit -S -c)" = 0 ] || ulimit -S -c 0
need() {
  if [ "$1" != unlimited ] && [ "$1" -lt "$2" ]; then
    echo "ktc: the limit of $3 is $1, and Node.js needs $2: raise it ($4)" >&2
    exit 69
  fi
}
${LIMITS.map(({ shown, least, what, remedy }) => `need "$(ulimit ${shown})" ${least} '${what}' '${remedy}'\n`).join('')}# What would steer Node.js or OpenSSL: code that is loaded into the agent, certificates that are trusted, files that are
# written. The agent says which were set.
cleared=
for name in ${CLEARED_VARIABLES.join(' ')}; do
  eval "[ -z \\"\\\${$name+set}\\" ]" || cleared="$cleared $name"
  unset "$name"
done
unset ${CLEARED_NAMES}
[ -z "$cleared" ] || export ${CLEARED_NAMES}="\${cleared# }"
here=$(dirname "$(readlink -f "$0")")
${preparation}export MALLOC_ARENA_MAX="\${MALLOC_ARENA_MAX:-1}" MALLOC_TRIM_THRESHOLD_="\${MALLOC_TRIM_THRESHOLD_:-131072}"
exec ${command} --disable-sigusr1 ${NODE_FLAGS.join(' ')} "$home/ktc.cjs" "$@"
`;
}
