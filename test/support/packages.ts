/** Builds the packages for tests, quickly: lightly compressed, otherwise as `make package` builds them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

export const { version: VERSION } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  version: string;
};
/** The home of the release in the tarball, on the host that it is unpacked on. */
export const RELEASE = `/opt/ktc-agent/releases/${VERSION}`;

/** Why packages cannot be built and unpacked here, in one line; null when they can. */
export const noPackagesReason = process.getuid?.() === 0 ? null : 'needs root';

export interface BuildOptions {
  readonly version?: string;
  /** Of the environment of the build. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Builds packages of these formats. Gives the directory with them, which the caller removes. */
export function buildPackages(
  formats: readonly string[],
  { version = VERSION, env = {} }: BuildOptions = {},
): string {
  const output = mkdtempSync(join(tmpdir(), 'ktc-packages-'));
  const words = ['--output', output, '--version', version, '--level', '0'];
  for (const format of formats) words.push('--format', format);
  execFileSync(process.execPath, ['--no-warnings', 'packaging/package.ts', ...words], {
    cwd: ROOT,
    stdio: 'pipe',
    env: { ...process.env, ...env },
  });
  return output;
}

/** The path of the one file in a directory whose name ends so. */
export function fileIn(directory: string, ending: string): string {
  const found = readdirSync(directory).filter((name) => name.endsWith(ending));
  if (found.length !== 1) throw new Error(`${directory} has ${found.length} files *${ending}`);
  return join(directory, found[0] ?? '');
}
