/** The tarball: one release that stands beside others, in /opt/ktc-agent/releases/VERSION. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PackageOptions } from './options.ts';
import { PackagingFault, run } from './process.ts';
import { type Parts, stageTree } from './tree.ts';

export const RELEASES = '/opt/ktc-agent/releases';

/** Its only top directory has the version as its name: it is unpacked in `RELEASES`. Gives the path of the tarball. */
export function buildTarball(parts: Parts, options: PackageOptions): string {
  const { version, epoch, level, output } = options;
  const target = join(output, `ktc-agent-${version}-linux-x64.tar.gz`);
  const work = mkdtempSync(join(tmpdir(), 'ktc-tarball-'));
  try {
    stageTree(work, `${RELEASES}/${version}`, parts, options);
    const archive = join(work, 'release.tar');
    const same = [
      '--sort=name',
      `--mtime=@${epoch}`,
      '--owner=0',
      '--group=0',
      '--numeric-owner',
      '--format=gnu',
    ];
    run('tar', [...same, '--directory', join(work, RELEASES), '--create', '--file', archive, version]);
    // gzip, because every host can unpack it; without its name and time.
    const zipped = spawnSync('gzip', ['--no-name', `-${Math.max(1, level)}`, '--stdout', archive], {
      maxBuffer: 1024 ** 3,
    });
    if (zipped.status !== 0)
      throw new PackagingFault(`gzip: ${zipped.error?.message ?? zipped.stderr.toString()}`);
    writeFileSync(target, zipped.stdout);
    return target;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
