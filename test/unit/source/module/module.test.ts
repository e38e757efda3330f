import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { buildModule } from '../../../../src/source/module/build.ts';
import { checkApi, explainLoadFault, readModuleInfo } from '../../../../src/source/module/load.ts';
import { checkEvent, type Hook, missedCalls, parseHooks } from '../../../../src/source/module/status.ts';

const directory = mkdtempSync(join(tmpdir(), 'ktc-module-test-'));
afterAll(() => rmSync(directory, { recursive: true }));

const PROBES = [
  'tcp_set_state tcp_set_state on ftrace nmissed=0',
  'inet_csk_accept inet_csk_accept on kretprobe nmissed=3',
  'tcp_send_reset tcp_v4_send_reset off ftrace nmissed=0',
  'tcp_send_reset tcp_v6_send_reset absent ftrace nmissed=0',
  '',
].join('\n');

describe("the module's hooks", () => {
  const list =
    'ffffffff8197c7f0  r  inet_csk_accept+0x0    [FTRACE]\nffffffff81000000  k  other+0x4    [DISABLED]\n';

  test('are on by ftrace, or by whatever carries the kretprobe', () => {
    const ways = (kprobes: string | null) =>
      parseHooks(PROBES, kprobes).map(({ state, way }) => [state, way]);
    const others = [
      ['off', null],
      ['absent', null],
    ];
    expect(ways(list)).toEqual([['on', 'ftrace'], ['on', 'ftrace'], ...others]);
    expect(ways(list.replace('[FTRACE]', '[OPTIMIZED]'))[1]).toEqual(['on', 'optimized']);
    expect(ways(list.replace('[FTRACE]', ''))[1]).toEqual(['on', 'breakpoint']);
    expect(ways(list.replace('[FTRACE]', '[DISABLED]'))[1]).toEqual(['on', 'unknown']);
    expect(ways(null)[1]).toEqual(['on', 'unknown']);
  });

  test('count what they missed, and say which function an event lacks', () => {
    const hooks: Hook[] = parseHooks(PROBES, null);
    const module = { version: '1.0.0', api: 1, events: ['tcp_set_state', 'inet_csk_accept'], hooks };
    expect(missedCalls(module)).toBe(3);
    expect(checkEvent(module, 'tcp_set_state')).toEqual({ ok: true });
    expect(checkEvent(module, 'tcp_send_reset')).toEqual({
      ok: false,
      problem: 'this kernel has no function tcp_v4_send_reset, tcp_v6_send_reset to probe',
    });
    expect(checkEvent(module, 'tcp_new')).toEqual({
      ok: false,
      problem: 'tcp_trace.ko has no event tcp_new',
    });
  });
});

test('modules of API 1 and 2 are read, others refused', () => {
  const checked = (api: number) => checkApi({ version: '1.1.0', api });
  expect([checked(1), checked(2)]).toEqual([{ ok: true }, { ok: true }]);
  for (const api of [0, 3, Number.NaN]) {
    expect(checked(api)).toEqual({
      ok: false,
      problem:
        `tcp_trace.ko 1.1.0 speaks API ${api}, this agent 1 to 2: install the module that came with the agent, ` +
        'then ktc module unload and ktc module load',
    });
  }
});

describe('a refusal to load is explained:', () => {
  const file = join(directory, 'tcp_trace.ko');
  writeFileSync(
    file,
    'ELF\0license=GPL\0vermagic=3.10.0-862.el7.x86_64 SMP mod_unload modversions \0ktc_api=1\0',
  );

  test("the file's own facts are read from it", () => {
    expect(readModuleInfo(file, 'vermagic')).toBe('3.10.0-862.el7.x86_64 SMP mod_unload modversions ');
    expect(readModuleInfo(file, 'ktc_api')).toBe('1');
    expect(readModuleInfo(file, 'parm')).toBeNull();
  });

  // What kmod 9 to 30 and busybox say.
  test.each([
    [
      'modprobe: FATAL: Module tcp_trace not found.',
      '',
      /^there is no tcp_trace\.ko for kernel \S+: `ktc module build`/,
    ],
    [`insmod: ERROR: could not load module ${file}: No such file or directory`, file, /^there is no file /],
    [
      `insmod: ERROR: could not insert module ${file}: Invalid module format`,
      file,
      /was built for 3\.10\.0-862\.el7\.x86_64, this kernel is /,
    ],
    [
      `insmod: can't insert '${file}': invalid module format`,
      file,
      /was built for 3\.10\.0-862\.el7\.x86_64/,
    ],
    [
      "modprobe: ERROR: could not insert 'tcp_trace': Exec format error",
      '',
      /was built for another kernel, this kernel is /,
    ],
    [
      "modprobe: ERROR: could not insert 'tcp_trace': Required key not available",
      '',
      /^Secure Boot refuses the unsigned tcp_trace\.ko: sign it/,
    ],
    [
      "modprobe: ERROR: could not insert 'tcp_trace': Key was rejected by service",
      '',
      /^Secure Boot refuses/,
    ],
    [
      "modprobe: ERROR: could not insert 'tcp_trace': Unknown symbol in module, or unknown parameter (see dmesg)",
      '',
      /needs a symbol that kernel \S+ does not have/,
    ],
    [
      "modprobe: ERROR: could not insert 'tcp_trace': Operation not permitted",
      '',
      /^(the kernel does not let tcp_trace\.ko in|loading a kernel module needs root)/,
    ],
    [
      "modprobe: ERROR: could not insert 'tcp_trace': Function not implemented",
      '',
      /cannot load modules at all/,
    ],
    [
      "modprobe: ERROR: could not insert 'tcp_trace': Cannot allocate memory",
      '',
      /^cannot load tcp_trace\.ko: modprobe: ERROR.*Cannot allocate memory$/,
    ],
  ])('%s', (said, path, expected) => {
    const explained = explainLoadFault(said, path);
    expect(explained).toMatch(expected);
    expect(explained).not.toContain('\n');
  });
});

describe('a build that cannot be is refused in one line:', () => {
  const kmodule = join(import.meta.dirname, '../../../../kmodule');
  const options = { sources: kmodule, kernel: '3.10.0-862.el7.x86_64', headers: null, output: null };

  test('no sources', () => {
    expect(buildModule({ ...options, sources: directory })).toEqual({
      ok: false,
      problem: `there are no sources of tcp_trace.ko in ${directory}`,
    });
  });

  test('no headers', () => {
    expect(buildModule(options)).toEqual({
      ok: false,
      problem:
        'cannot build tcp_trace.ko: No prepared kernel headers in /lib/modules/3.10.0-862.el7.x86_64/build: ' +
        'install kernel-devel (linux-headers) of that kernel, or give KDIR=.',
    });
  });
});
