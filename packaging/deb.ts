/** The Debian package. */

import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PackageOptions, packageVersion } from './options.ts';
import { run } from './process.ts';
import { type Parts, stageHostFiles, stageTree } from './tree.ts';

const SCRIPTS = ['postinst', 'prerm', 'postrm'];

/** Gives the path of the package. */
export function buildDeb(parts: Parts, options: PackageOptions): string {
  const { epoch, level, output } = options;
  const version = `${packageVersion(options)}-1`;
  const target = join(output, `ktc-agent_${version}_amd64.deb`);
  const work = mkdtempSync(join(tmpdir(), 'ktc-deb-'));
  try {
    stageTree(work, '/usr', parts, options);
    stageHostFiles(work, { switchFile: 'etc/default/ktc-agent', dropIns: 'newer' }, options);
    stageControl(work, version, parts, epoch);
    // One thread, because the bytes depend on their number.
    const compression = level === 0 ? ['-Znone'] : ['-Zxz', `-z${level}`, '--threads-max=1'];
    run(
      'dpkg-deb',
      ['--root-owner-group', ...compression, '--uniform-compression', '--build', work, target],
      {
        env: { SOURCE_DATE_EPOCH: String(epoch) },
      },
    );
    return target;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function stageControl(root: string, version: string, { runtime }: Parts, epoch: number): void {
  const files = filesBelow(root, '');
  const size = files.reduce((sum, file) => sum + readFileSync(join(root, file)).length, 0);
  const control = join(root, 'DEBIAN');
  mkdirSync(control);
  const fields = {
    Package: 'ktc-agent',
    Version: version,
    Architecture: 'amd64',
    Maintainer: 'KTC agent contributors <ktc-agent@localhost>',
    'Installed-Size': Math.ceil(size / 1024),
    Depends: ['passwd', ...runtime.needs.deb].join(', '),
    Suggests: 'dkms',
    Section: 'net',
    Priority: 'optional',
    Description: readFileSync('packaging/description.txt', 'utf8').trimEnd().replaceAll('\n', '\n '),
  };
  const text = Object.entries(fields).map(([name, value]) => `${name}: ${value}\n`);
  writeFileSync(join(control, 'control'), text.join(''));
  const conffiles = files.filter((file) => file.startsWith('etc/')).map((file) => `/${file}\n`);
  writeFileSync(join(control, 'conffiles'), conffiles.join(''));
  const sums = files
    .filter((file) => !file.startsWith('etc/'))
    .map(
      (file) =>
        `${createHash('md5')
          .update(readFileSync(join(root, file)))
          .digest('hex')}  ${file}\n`,
    );
  writeFileSync(join(control, 'md5sums'), sums.join(''));
  for (const name of SCRIPTS) copyFileSync(join('packaging/deb', name), join(control, name));
  for (const name of readdirSync(control)) {
    chmodSync(join(control, name), SCRIPTS.includes(name) ? 0o755 : 0o644);
    utimesSync(join(control, name), epoch, epoch);
  }
  chmodSync(control, 0o755);
  utimesSync(control, epoch, epoch);
}

/** The paths of all regular files, from `root`, in the order of their names. */
function filesBelow(root: string, directory: string): string[] {
  return readdirSync(join(root, directory), { withFileTypes: true })
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) return filesBelow(root, path);
      return entry.isFile() ? [path] : [];
    });
}
