/** Bundles src/cli/main.ts into bin/ktc.cjs with its launcher bin/ktc: hosts get no node_modules. */
import { chmodSync, copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { bundle, launcher } from './bundle.ts';

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };

// One that was laid beside the bundle, or the lock file's Node.js.
const PREPARATION = `home=$here
for node in "$here/node" "$here/../node_modules/.bin/node" node; do
  command -v "$node" >/dev/null 2>&1 && break
done
`;

mkdirSync('bin', { recursive: true });
await bundle({ output: 'bin/ktc.cjs', version });
writeFileSync('bin/ktc', launcher(PREPARATION, '"$node"'));
chmodSync('bin/ktc', 0o755);
// What `ktc module build` builds.
rmSync('bin/kmodule', { recursive: true, force: true });
cpSync('kmodule', 'bin/kmodule', { recursive: true });
// What `ktc replay` plays when no recording is named.
copyFileSync('test/recordings/linux-6.18.ktcrec', 'bin/sample.ktcrec');
