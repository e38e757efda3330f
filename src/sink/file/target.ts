/** Where the path of the event file leads to. */
import type { Stats } from 'node:fs';
import { lstat, readlink, realpath, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { orNull } from '../../shared/errors.ts';
import { notPlain } from './fault.ts';

/** The kernel follows no more (include/linux/namei.h, MAXSYMLINKS). */
const MAX_LINKS = 40;

/**
 * Follows symbolic links to the file that open(2) opens or makes, so that it can be rotated where it is. Throws the error
 * of the system, or `notPlain` for what cannot be rotated, such as a pipe: to write to one can also block for ever.
 */
export async function findTarget(path: string): Promise<string> {
  const found = await stat(path).catch(orNull('ENOENT'));
  if (found !== null) checkKind(found);
  const target = await follow(path);
  const there = await lstat(target).catch(orNull('ENOENT'));
  // /proc/self/fd/1, to which /dev/stdout leads, opens a file that need not be under the name it shows.
  if (found?.dev !== there?.dev || found?.ino !== there?.ino)
    throw notPlain('a link to a file without a name');
  return target;
}

async function follow(path: string): Promise<string> {
  let target = path;
  for (let links = 0; links <= MAX_LINKS; links++) {
    const link = await readlink(target).catch(orNull('EINVAL', 'ENOENT'));
    const directory = await realpath(dirname(target));
    if (link === null) return join(directory, basename(target));
    // Not resolve(), which would take `directory/..` for nothing although `directory` may be a link.
    target = isAbsolute(link) ? link : `${directory}/${link}`;
  }
  return target;
}

/** Not of directories, which open(2) refuses, nor of devices: /dev/null takes every byte at once, and its size stays 0. */
function checkKind(found: Stats): void {
  if (found.isFIFO()) throw notPlain('a pipe');
  if (found.isSocket()) throw notPlain('a socket');
  if (found.isBlockDevice()) throw notPlain('a block device');
}
