/**
 * The files of a release below a prefix: /usr in the RPM and in the Debian package, /opt/ktc-agent/releases/VERSION in
 * the tarball. The prefix is written into Node.js as the place of its program interpreter (ld-linux) and of its
 * libraries: the kernel takes no relative path for the first. So Node.js finds its glibc without a variable of the
 * environment, which its children would inherit: those run with the libraries of the host.
 */
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { bundle, launcher, REPORT_PAGE } from '../scripts/bundle.ts';
import type { PackageOptions } from './options.ts';
import { run } from './process.ts';
import { type Component, provideRuntime, type Runtime } from './runtime.ts';
import { bundledPackages, linkedLibrary, writeSbom } from './sbom.ts';

/** Everything of a release that does not depend on the format of the package. */
export interface Parts {
  readonly runtime: Runtime;
  /** The bundle. */
  readonly program: string;
  /** The program that connects systemd's socket. */
  readonly notifyExec: string;
  /** The software of others inside. */
  readonly components: readonly Component[];
}

const UNITS = ['ktc-agent.service', 'ktc-module.service'];

/** Makes the parts in the directory `work`. */
export async function makeParts({ version }: PackageOptions, work: string): Promise<Parts> {
  const runtime = provideRuntime(work);
  const program = join(work, 'ktc.cjs');
  const modules = await bundle({ output: program, version });
  const notifyExec = join(work, 'notify-exec');
  run('musl-gcc', [
    '-static',
    '-Os',
    '-s',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-o',
    notifyExec,
    'packaging/notify-exec.c',
  ]);
  return {
    runtime,
    program,
    notifyExec,
    components: [...runtime.components, linkedLibrary(), ...bundledPackages(modules)],
  };
}

/** The directory of the parts that only the agent itself uses. */
export const homeOf = (prefix: string): string => `${prefix}/lib/ktc-agent`;

/** Writes the release for `prefix` into `root`, as if that were /. */
export function stageTree(root: string, prefix: string, parts: Parts, options: PackageOptions): void {
  const at = (path: string) => join(root, prefix, path);
  const home = join(root, homeOf(prefix));
  for (const directory of ['bin', 'share/man/man8', 'share/doc/ktc-agent/licenses', 'share/ktc-agent'])
    mkdirSync(at(directory), { recursive: true });
  stageRuntime(home, prefix, parts.runtime);
  copyFileSync(parts.program, join(home, 'ktc.cjs'));
  copyFileSync(join(dirname(parts.program), REPORT_PAGE), join(home, REPORT_PAGE));
  copyFileSync(parts.notifyExec, join(home, 'notify-exec'));
  copyFileSync('test/recordings/linux-6.18.ktcrec', join(home, 'sample.ktcrec'));
  cpSync('kmodule', join(home, 'kmodule'), { recursive: true, filter: isSource });
  writeFileSync(at('bin/ktc'), packagedLauncher(prefix, parts.runtime));
  for (const name of readdirSync('tools')) {
    if (name.endsWith('_example.txt')) copyFileSync(join('tools', name), at(`share/doc/ktc-agent/${name}`));
    else copyFileSync(join('tools', name), at(`bin/${name}`));
  }
  for (const name of readdirSync('man')) copyFileSync(join('man', name), at(`share/man/man8/${name}`));
  for (const name of ['LICENSE', 'CHANGELOG.md']) copyFileSync(name, at(`share/doc/ktc-agent/${name}`));
  cpSync('docs', at('share/doc/ktc-agent/docs'), { recursive: true });
  cpSync('config', at('share/ktc-agent/config'), { recursive: true });
  cpSync('packaging/systemd', at('share/ktc-agent/systemd'), { recursive: true });
  copyFileSync('packaging/etc/ktc-agent', at('share/ktc-agent/sysconfig'));
  for (const { name, version, licenceFiles } of parts.components)
    for (const file of licenceFiles)
      copyFileSync(
        file,
        at(`share/doc/ktc-agent/licenses/${name.replace('/', '+')}-${version}-${basename(file)}`),
      );
  writeSbom(at('share/ktc-agent/sbom.cdx.json'), parts, options);
  normalize(root, options.epoch);
}

export interface HostFiles {
  /** Where the operator's switches are. */
  readonly switchFile: string;
  /** Which of the two sets of drop-ins. */
  readonly dropIns: '219' | 'newer';
}

/** Writes what the RPM and the Debian package have besides the release: units, configuration, directories. */
export function stageHostFiles(
  root: string,
  { switchFile, dropIns }: HostFiles,
  { epoch }: PackageOptions,
): void {
  const at = (path: string) => join(root, path);
  const units = at('usr/lib/systemd/system');
  const directories = ['etc/ktc/conf.d', 'var/lib/ktc/spool', 'var/log/ktc', 'usr/src', dirname(switchFile)];
  for (const directory of directories) mkdirSync(at(directory), { recursive: true });
  cpSync(join('packaging/systemd', dropIns), join(units, 'ktc-agent.service.d'), { recursive: true });
  for (const name of UNITS) copyFileSync(join('packaging/systemd', name), join(units, name));
  copyFileSync('config/agent.json', at('etc/ktc/agent.json'));
  copyFileSync('packaging/etc/ktc-agent', at(switchFile));
  // Where DKMS looks for sources.
  const dkms = readFileSync('kmodule/dkms.conf', 'utf8');
  const [name = '', version = ''] = ['NAME', 'VERSION'].map(
    (key) => new RegExp(`^PACKAGE_${key}="(.*)"`, 'm').exec(dkms)?.[1],
  );
  symlinkSync('../lib/ktc-agent/kmodule', at(`usr/src/${name}-${version}`));
  normalize(root, epoch);
}

/** What a build of the module has left in a checkout is none of its sources. */
function isSource(path: string): boolean {
  return !/\/(has\.h|log|\.gitignore|\.tmp_versions|modules\.order|Module\.symvers)$|\.(ko|o|mod|mod\.c|cmd|d)$/.test(
    path,
  );
}

function stageRuntime(home: string, prefix: string, { node, libraries }: Runtime): void {
  mkdirSync(join(home, 'glibc'), { recursive: true });
  const target = join(home, 'node');
  copyFileSync(node, target);
  chmodSync(target, 0o755);
  if (libraries.length === 0) return;
  for (const library of libraries) copyFileSync(library, join(home, 'glibc', basename(library)));
  const directory = `${homeOf(prefix)}/glibc`;
  const interpreter = ['--set-interpreter', `${directory}/ld-linux-x86-64.so.2`];
  // DT_RPATH, and not the newer DT_RUNPATH, is also asked for what a library of the host's name service needs. Not
  // $ORIGIN, which needs /proc.
  run('patchelf', [...interpreter, '--force-rpath', '--set-rpath', directory, target]);
}

function packagedLauncher(prefix: string, { libraries }: Runtime): string {
  const isInPlace =
    libraries.length === 0
      ? ''
      : `if [ ! -e ${homeOf(prefix)}/glibc/ld-linux-x86-64.so.2 ]; then
  echo "ktc: this release runs in ${prefix} only, and it is in \${here%/*}" >&2
  exit 69
fi
`;
  // Under systemd, through what connects its notification socket.
  return launcher(
    `home=\${here%/*}/lib/ktc-agent\n${isInPlace}`,
    `\${NOTIFY_SOCKET:+"$home/notify-exec"} "$home/node"`,
  );
}

/** The same modes and times whatever the umask and the clock of the machine. */
function normalize(directory: string, epoch: number): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) normalize(path, epoch);
    else if (entry.isFile()) {
      chmodSync(path, isProgram(path) ? 0o755 : 0o644);
      utimesSync(path, epoch, epoch);
    }
  }
  chmodSync(directory, 0o755);
  utimesSync(directory, epoch, epoch);
}

/** Whether a file is to be executed: a script, or an ELF file. */
function isProgram(path: string): boolean {
  if (statSync(path).size < 4) return false;
  const start = readFileSync(path).subarray(0, 4);
  return start.subarray(0, 2).toString() === '#!' || start.equals(Buffer.from('\x7fELF'));
}
