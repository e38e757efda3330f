/** A file as a sink of the agent. */
import { constants, existsSync } from 'node:fs';
import { access, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { key } from '../../setting/key.ts';
import { boolean, filePath, integer } from '../../setting/kind.ts';
import { isSystemError } from '../../shared/errors.ts';
import type { SinkConfig, SinkDefinition, SinkFinding, SinkPath } from '../definition.ts';
import { explainFileFault } from './fault.ts';
import { createFileSink } from './file.ts';
import { findTarget } from './target.ts';

const keys = {
  enabled: key(boolean, { default: false, doc: 'Append events to a file, one JSON object per line.' }),
  path: key(filePath, {
    default: '/var/log/ktc/events.ndjson',
    doc: 'Path of that file. Its directory must exist.',
  }),
  max_bytes: key(integer(4096, 1_099_511_627_776), {
    default: 104_857_600,
    doc: 'The file is rotated before it grows beyond this many bytes.',
  }),
  max_files: key(integer(1, 1000), {
    default: 5,
    doc: 'How many files are kept, including the current one; the oldest is removed.',
  }),
};

type FileConfig = SinkConfig<'file', typeof keys>;

const MIB = 1 << 20;

/** Whether the file can be written, and whether there is room for all that it may grow to. */
async function checkFile({ sink: { file } }: FileConfig): Promise<SinkFinding> {
  try {
    const target = await findTarget(file.path);
    const directory = dirname(target);
    await access(directory, constants.W_OK);
    if (existsSync(target)) await access(target, constants.W_OK);
    const { bavail, bsize } = await statfs(directory);
    const free = bavail * bsize;
    const needed = file.max_bytes * file.max_files;
    const detail = `${Math.round(free / MIB)} MiB free in ${directory}, up to ${Math.round(needed / MIB)} MiB used`;
    if (free > needed) return { verdict: 'ok', detail };
    return { verdict: 'warning', detail: `${detail}: lower sink.file.max_bytes or max_files` };
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return { verdict: 'failed', detail: explainFileFault(file.path, error) };
  }
}

export const file = {
  keys,
  checks: [],
  secret: null,
  create({ sink }, _, { log }) {
    const { path, max_bytes, max_files } = sink.file;
    return createFileSink({ path, maxBytes: max_bytes, maxFiles: max_files, log });
  },
  // To open it would make the file.
  check: checkFile,
} satisfies SinkDefinition<FileConfig, SinkPath<'file', typeof keys>, unknown>;
