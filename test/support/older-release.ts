/** The release before: an agent that knows API 1 of the module only, with a module of API 1. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildPackages } from './packages.ts';
import type { PackageFormat } from './site.ts';

const ROOT = join(import.meta.dirname, '../..');

/** What the packages are built from. */
const COPIED = ['config', 'docs', 'kmodule', 'man', 'packaging', 'scripts', 'src', 'tools'];
const LINKED = [
  '.cache',
  'CHANGELOG.md',
  'LICENSE',
  'node_modules',
  'package.json',
  'package-lock.json',
  'test',
];

/**
 * API 2 has added what a connection has sent to retransmits and loss probes (kmodule/README.md), and the agent that came with
 * it reads API 1 as well.
 */
const CHANGES = [
  { file: 'kmodule/tcp_trace.c', from: /^#define KTC_API 2$/m, to: '#define KTC_API 1' },
  { file: 'kmodule/tcp_trace.c', from: /"1\.1\.0"/, to: '"1.0.0"' },
  { file: 'kmodule/dkms.conf', from: /"1\.1\.0"/, to: '"1.0.0"' },
  { file: 'kmodule/tcp_trace_events.h', from: /^\t\t(KTC_SENT_FIELDS|KTC_ASSIGN_SENT\(tp\);)\n/gm, to: '' },
  { file: 'kmodule/tcp_trace_events.h', from: /KTC_SENT_VALUES, /g, to: '' },
  { file: 'kmodule/tcp_trace_events.h', from: /KTC_SENT (?=KTC_MEASURES)/g, to: '' },
  { file: 'src/source/module/status.ts', from: /newest: 2 \}/, to: 'newest: 1 }' },
] as const;

/** Builds a package of it. Gives the directory with it, which the caller removes. */
export function buildOlderRelease(version: string, format: PackageFormat): string {
  const root = mkdtempSync(join(tmpdir(), 'ktc-older-'));
  try {
    for (const name of COPIED) cpSync(join(ROOT, name), join(root, name), { recursive: true });
    for (const name of LINKED) symlinkSync(join(ROOT, name), join(root, name));
    for (const { file, from, to } of CHANGES) {
      const path = join(root, file);
      const text = readFileSync(path, 'utf8');
      if (text.search(from) === -1) throw new Error(`${file} has nothing to change: ${from}`);
      writeFileSync(path, text.replace(from, to));
    }
    // The copy has no history.
    return buildPackages([format], { version, root, env: { SOURCE_DATE_EPOCH: '1000000000' } });
  } finally {
    rmSync(root, { recursive: true });
  }
}
