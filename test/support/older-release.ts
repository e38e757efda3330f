/** The release before: an agent that knows API 1 of the module only, and the module of API 1. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { buildModule } from '../../src/source/module/build.ts';
import { changeSource, modulesOf } from './guest/module.ts';
import type { GuestKernel } from './guest.ts';
import { buildPackages } from './packages.ts';

const ROOT = join(import.meta.dirname, '../..');
export const OLDER_VERSION = '0.0.9';

/** What the bundle, the module and the packages are built from; the rest of the repository is linked to. */
const COPIED = ['kmodule', 'packaging', 'scripts', 'src'];
const LEFT_OUT = ['.git', 'bin', 'dist'];

/**
 * API 2 has added what a connection has sent to retransmits and loss probes (kmodule/README.md), and the agent that came with
 * it reads API 1 as well.
 */
const CHANGES = [
  { file: 'kmodule/tcp_trace.c', from: /^#define KTC_API 2$/m, to: '#define KTC_API 1' },
  { file: 'kmodule/tcp_trace.c', from: /"1\.1\.0"/, to: '"1.0.0"' },
  { file: 'kmodule/tcp_trace_events.h', from: /^\t\t(KTC_SENT_FIELDS|KTC_ASSIGN_SENT\(tp\);)\n/gm, to: '' },
  { file: 'kmodule/tcp_trace_events.h', from: /KTC_SENT_VALUES, /g, to: '' },
  { file: 'kmodule/tcp_trace_events.h', from: /KTC_SENT (?=KTC_MEASURES)/g, to: '' },
  { file: 'src/source/module/status.ts', from: /newest: 2 \}/, to: 'newest: 1 }' },
] as const;

/** Makes its repository in a directory. Gives its path. */
function makeOlderRepository(directory: string): string {
  const root = join(directory, 'repository');
  mkdirSync(root);
  for (const name of readdirSync(ROOT)) {
    if (COPIED.includes(name)) cpSync(join(ROOT, name), join(root, name), { recursive: true });
    else if (!LEFT_OUT.includes(name)) symlinkSync(join(ROOT, name), join(root, name));
  }
  for (const change of CHANGES) changeSource(root, change);
  return root;
}

/** Builds its agent and its module for a kernel into a directory. Gives their paths. */
export function buildOlderRelease(directory: string, kernel: GuestKernel): { agent: string; module: string } {
  const root = makeOlderRepository(directory);
  const agent = join(directory, 'older.cjs');
  const options = JSON.stringify({ output: agent, version: OLDER_VERSION });
  const script = `import('./scripts/bundle.ts').then(({ bundle }) => bundle(${options}))`;
  execFileSync(process.execPath, ['--no-warnings', '--eval', script], { cwd: root });
  const { release, headers } = modulesOf(kernel);
  const built = buildModule({
    sources: join(root, 'kmodule'),
    kernel: release,
    headers,
    output: join(directory, 'older.ko'),
  });
  if (!built.ok) throw new Error(built.problem);
  return { agent, module: built.value };
}

/** Builds its tarball in a directory. Gives the directory with it. */
export function buildOlderPackage(directory: string): string {
  const output = join(directory, 'packages');
  // Without git, nothing else says when this release was made.
  const env = { SOURCE_DATE_EPOCH: '0' };
  buildPackages(['tarball'], { version: OLDER_VERSION, env, output, root: makeOlderRepository(directory) });
  return output;
}
