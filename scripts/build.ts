/** Bundles src/cli/main.ts into bin/ktc.cjs with its launcher bin/ktc: hosts get no node_modules. */
import { chmodSync, copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };

// A packaged agent carries its Node.js beside the bundle; a checkout has the lock file's.
// V8's helper threads cost more CPU in waking and stealing than they save: without them an event took 13.5 µs at 10,000
// events/s instead of 17.3 (bench/kafka.ts), and was delivered no later. A young generation of 4 MiB instead of 16:
// nothing of an event lives long, and resident memory was 108 MiB instead of 132 at 10,000 events/s to Kafka with the
// spool on, for the same CPU. One arena for malloc instead of one a thread: 10 MB less again, for the same CPU.
const launcher = `#!/bin/sh
# The agent holds passwords: no core files of it, unless somebody asks for them (prlimit), and no debugger that SIGUSR1
# would open to everybody on the host.
ulimit -S -c 0
here=$(dirname "$(readlink -f "$0")")
for node in "$here/node" "$here/../node_modules/.bin/node" node; do
  command -v "$node" >/dev/null 2>&1 && break
done
export MALLOC_ARENA_MAX="\${MALLOC_ARENA_MAX:-1}"
exec "$node" --disable-sigusr1 --single-threaded-gc --max-semi-space-size=4 "$here/ktc.cjs" "$@"
`;

mkdirSync('bin', { recursive: true });
await build({
  entryPoints: ['src/cli/main.ts'],
  outfile: 'bin/ktc.cjs',
  bundle: true,
  platform: 'node',
  target: 'node22.20',
  format: 'cjs',
  legalComments: 'none',
  define: { KTC_VERSION: JSON.stringify(version) },
  logLevel: 'warning',
});
writeFileSync('bin/ktc', launcher);
chmodSync('bin/ktc', 0o755);
// What `ktc module build` builds.
rmSync('bin/kmodule', { recursive: true, force: true });
cpSync('kmodule', 'bin/kmodule', { recursive: true });
// What `ktc replay` plays when no recording is named.
copyFileSync('test/recordings/linux-6.18.ktcrec', 'bin/sample.ktcrec');
