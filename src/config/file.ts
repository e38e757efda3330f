/** The files of the configuration: which files exist, in which order they apply, and what each sets. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileProblem } from '../setting/problem.ts';
import { hasErrorCode } from '../shared/errors.ts';
import { decodeUtf8 } from '../shared/text.ts';
import { parseJson } from './json.ts';
import { joinLayers, type Layer, readDocument, unreadable } from './layer.ts';

const DEFAULT_FILE = '/etc/ktc/agent.json';

/** The directory beside the file: its `*.json` files override the file, in the order of their names. */
const OVERRIDES = 'conf.d';

export interface FileSources {
  /** Must exist; without it `/etc/ktc/agent.json` is read where it exists. Null reads no files at all. */
  readonly file?: string | null | undefined;
  /** Must exist; without it `conf.d` beside the file is read where it exists. */
  readonly directory?: string | undefined;
}

/** Reads the layers of the file and of its overrides. */
export function readFiles({ file, directory }: FileSources): Layer[] {
  if (file === null) return [];
  const main = file ?? DEFAULT_FILE;
  const overrides = directory ?? join(dirname(main), OVERRIDES);
  return [
    readFile(main, { mayBeAbsent: file === undefined, removes: false }),
    ...listOverrides(overrides, directory === undefined).map((entry) =>
      typeof entry === 'string' ? readFile(entry, { mayBeAbsent: false, removes: true }) : entry,
    ),
  ];
}

/**
 * The paths of the files of a directory in the order of their names, without hidden files; or a layer that says why
 * they cannot be listed.
 */
function listOverrides(directory: string, mayBeAbsent: boolean): (string | Layer)[] {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith('.json') && !name.startsWith('.'))
      .sort()
      .map((name) => join(directory, name));
  } catch (error) {
    return mayBeAbsent && hasErrorCode(error, 'ENOENT') ? [] : [unreadable(directory, fileProblem(error))];
  }
}

interface Reading {
  readonly mayBeAbsent: boolean;
  /** `null` in it removes what the files before it have set. */
  readonly removes: boolean;
}

function readFile(path: string, { mayBeAbsent, removes }: Reading): Layer {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (mayBeAbsent && hasErrorCode(error, 'ENOENT')) return joinLayers([]);
    return unreadable(path, fileProblem(error));
  }
  const text = decodeUtf8(bytes);
  if (text === null) return unreadable(path, 'is not UTF-8 text');
  const json = parseJson(text);
  if (json.ok) return readDocument(json.value, path, removes);
  return unreadable(path, `line ${json.line}, column ${json.column}: ${json.problem}`);
}
