/** Builds the packages for tests, quickly: lightly compressed, otherwise as `make package` builds them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { madeOnce } from './made-once.ts';

const ROOT = join(import.meta.dirname, '../..');

export const { version: VERSION } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  version: string;
};
/** A later version, with a hyphen, which RPM and Debian packages write as a tilde. */
export const NEXT = '99.0.0-rc.1';
/** The home of the release in the tarball, on the host that it is unpacked on. */
export const RELEASE = `/opt/ktc-agent/releases/${VERSION}`;

/** Why packages cannot be built and unpacked here, in one line; null when they can. */
export const noPackagesReason = process.getuid?.() === 0 ? null : 'needs root';

export interface BuildOptions {
  readonly version?: string;
  /** Of the environment of the build. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where to put them; a new directory, which the caller removes, when absent. */
  readonly output?: string;
  /** The repository to build from; this one when absent. */
  readonly root?: string;
}

/** Builds packages of these formats. Gives the directory with them. */
export function buildPackages(
  formats: readonly string[],
  {
    version = VERSION,
    env = {},
    output = mkdtempSync(join(tmpdir(), 'ktc-packages-')),
    root = ROOT,
  }: BuildOptions = {},
): string {
  const words = ['--output', output, '--version', version, '--level', '0'];
  for (const format of formats) words.push('--format', format);
  execFileSync(process.execPath, ['--no-warnings', 'packaging/package.ts', ...words], {
    cwd: root,
    stdio: 'pipe',
    env: { ...process.env, ...env },
  });
  return output;
}

/** The directory with the packages of a version in all formats, which all test files share. */
export function packagesOf(version: string): string {
  return madeOnce(`packages-${version}`, (output) => {
    buildPackages(['tarball', 'rpm', 'deb'], { version, output });
  });
}

/** The path of the one file in a directory whose name ends so. */
export function fileIn(directory: string, ending: string): string {
  const found = readdirSync(directory).filter((name) => name.endsWith(ending));
  if (found.length !== 1) throw new Error(`${directory} has ${found.length} files *${ending}`);
  return join(directory, found[0] ?? '');
}

/** An RPM that provides what the agent's requires of EL7, for a database of rpm on a host that is another. Gives its path. */
export function buildEl7Base(directory: string): string {
  const spec = join(directory, 'el7-base.spec');
  const provides = ['/bin/sh', 'shadow-utils', 'systemd'].map((name) => `Provides: ${name}\n`).join('');
  const fields =
    'Name: el7-base\nVersion: 7.5\nRelease: 1\nSummary: What EL7 has\nLicense: MIT\nBuildArch: noarch\n';
  writeFileSync(spec, `${fields}${provides}%description\nFor tests.\n%files\n`);
  const define = (name: string, value: string) => ['--define', `${name} ${value}`];
  const where = [...define('_topdir', directory), ...define('_rpmdir', directory)];
  execFileSync('rpmbuild', [...where, '--target', 'noarch', '-bb', spec], { stdio: 'pipe' });
  return join(directory, 'noarch/el7-base-7.5-1.noarch.rpm');
}
