/** kmodule/ compiles for every kernel whose headers this machine can have, without a word from compiler or sparse. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { readModuleInfo } from '../../src/source/module/load.ts';
import { type GuestKernel, guestUnavailable } from '../support/guest.ts';
import { shared } from '../support/shared.ts';

const repository = join(import.meta.dirname, '../..');
const KERNELS: readonly GuestKernel[] = ['6.1', '6.12'];

const directory = mkdtempSync(join(tmpdir(), 'ktc-kmodule-'));
afterAll(() => rmSync(directory, { recursive: true }));

interface Made {
  readonly status: number | null;
  readonly output: string;
}

function make(folder: string, ...words: string[]): Made {
  const { status, stdout, stderr } = spawnSync('make', ['-C', folder, ...words], { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

/** What compiler and sparse say, but for what every out-of-tree module is told. */
function complaints(output: string): string[] {
  return output
    .split('\n')
    .filter((line) => /warning|error/i.test(line) && !/the compiler differs|Skipping BTF/.test(line));
}

describe.each(KERNELS)('for Linux %s, kmodule/', (kernel) => {
  const unavailable = guestUnavailable(kernel);
  if (unavailable !== undefined) console.warn(`skipped: kmodule for ${kernel}: ${unavailable}`);

  describe.skipIf(unavailable !== undefined)('with its headers', () => {
    const folder = join(directory, kernel);
    const release = () => readdirSync(join(repository, '.cache/guest', kernel, 'lib/modules'))[0] ?? '';
    const headers = () => join(repository, '.cache/guest', kernel, 'lib/modules', release(), 'build');
    const check = (folder: string) => make(folder, `KDIR=${headers()}`, 'W=1', 'C=2', 'CHECK=sparse');

    const build = shared(async () => {
      cpSync(join(repository, 'kmodule'), folder, { recursive: true });
      return check(folder);
    });
    let built: Made;
    beforeEach(async (context) => {
      built = await build(context);
    });

    test('compiles without a warning of W=1 or sparse', () => {
      const { status, output } = built;
      expect(complaints(output)).toEqual([]);
      expect(status, output).toBe(0);
      expect(output).toMatch(/CHECK .*tcp_trace\.c/);
      expect(readModuleInfo(join(folder, 'tcp_trace.ko'), 'vermagic')?.split(' ')[0]).toBe(release());
      expect(readModuleInfo(join(folder, 'tcp_trace.ko'), 'ktc_api')).toBe('2');
    });

    test('installs where no weak-updates link goes, and refuses another kernel', () => {
      const root = join(directory, `${kernel}-root`);
      const installed = make(folder, `KDIR=${headers()}`, `INSTALL_MOD_PATH=${root}`, 'install');
      expect(installed.status, installed.output).toBe(0);
      // Newer kernels compress what they install.
      const [file] = readdirSync(join(root, 'lib/modules', release(), 'updates'));
      expect(file).toMatch(/^tcp_trace\.ko(\.xz)?$/);
      const other = make(folder, `KDIR=${headers()}`, 'KERNELRELEASE=3.10.0-862.el7.x86_64');
      expect(other.status).not.toBe(0);
      expect(other.output).toContain(`is for ${release()}, not for 3.10.0-862.el7.x86_64.`);
    });

    test('would be told of a fault that only sparse sees', () => {
      const faulty = join(directory, `${kernel}-faulty`);
      cpSync(join(repository, 'kmodule'), faulty, { recursive: true });
      appendFileSync(join(faulty, 'tcp_trace.c'), 'int ktc_not_static;\n');
      expect(complaints(check(faulty).output).join()).toMatch(/ktc_not_static.*static/);
    });
  });
});

test('every #if of the module stands in compat.h, but for guards of headers', () => {
  const folder = join(repository, 'kmodule');
  const conditions = readdirSync(folder)
    .filter((name) => /\.[ch]$/.test(name) && name !== 'compat.h')
    .flatMap((name) =>
      readFileSync(join(folder, name), 'utf8')
        .split('\n')
        .filter((line) => /^#\s*(if|elif)/.test(line))
        .map((line) => `${name}: ${line}`),
    );
  expect(conditions).toEqual([
    'flow.h: #ifndef KTC_FLOW_H',
    'tcp_trace_events.h: #if !defined(KTC_EVENTS_H) || defined(TRACE_HEADER_MULTI_READ)',
  ]);
});
