/** kmodule/ compiles for every kernel whose headers this machine can have, without a word from compiler or sparse. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
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
      const sources = createHash('sha256');
      for (const name of ['compat.h', 'flow.h', 'tcp_trace_events.h', 'tcp_trace.c'])
        sources.update(readFileSync(join(repository, 'kmodule', name)));
      const hash = sources.digest('hex').slice(0, 16);
      expect(readModuleInfo(join(folder, 'tcp_trace.ko'), 'ktc_source')).toBe(hash);
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

test('compat.h refuses kernels that are known to be bad, and no other', () => {
  const compat = readFileSync(join(repository, 'kmodule/compat.h'), 'utf8');
  const [conditions = ''] = /#define KTC_KERNEL_FROM_TO[\s\S]*?#endif\n/.exec(compat) ?? [];
  const refusal = (version: string) => {
    const source = `#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + (c))\n${conditions}`;
    const words = ['-E', '-x', 'c', `-DLINUX_VERSION_CODE=KERNEL_VERSION(${version})`, '-'];
    return spawnSync('gcc', words, { input: source, encoding: 'utf8' }).stderr;
  };
  for (const bad of ['5,10,0', '5,10,57', '5,11,0', '5,12,19', '5,13,9'])
    expect(refusal(bad)).toContain('tracepoints of this kernel may crash it (mended by commit 231264d6927f)');
  for (const good of ['3,10,0', '5,9,255', '5,10,58', '5,13,10', '5,14,0', '6,1,0', '6,12,117'])
    expect(refusal(good)).toBe('');
});

describe('configure/ asks each question in both directions:', () => {
  const kernel = '6.1';
  const unavailable = guestUnavailable(kernel);

  /** What each question is about, in the headers of this kernel, and how the opposite kind of kernel has it. */
  const OPPOSITES: Readonly<
    Record<string, readonly (readonly [header: string, from: RegExp, to: string])[]>
  > = {
    HAS_FTRACE_RECURSION_SAFE: [
      ['linux/ftrace.h', /FTRACE_OPS_FL_SAVE_REGS\s+=/, 'FTRACE_OPS_FL_RECURSION_SAFE = BIT(30), $&'],
    ],
    HAS_FTRACE_REGS: [
      ['linux/ftrace.h', /(typedef void \(\*ftrace_func_t\)[^;]*)struct ftrace_regs/, '$1struct pt_regs'],
    ],
    HAS_NET_NS_INUM: [
      ['net/net_namespace.h', /struct ns_common\s+ns;/, 'struct ns_common other_ns;'],
      ['net/net_namespace.h', /net->ns\./g, 'net->other_ns.'],
    ],
    HAS_RETRANSMIT_SEGS: [
      [
        'net/tcp.h',
        /int tcp_retransmit_skb\(.*, int segs\)/,
        'int tcp_retransmit_skb(struct sock *, struct sk_buff *)',
      ],
    ],
    HAS_SYNCHRONIZE_SCHED: [
      ['linux/rcupdate.h', /void synchronize_rcu\(void\);/, '$& void synchronize_sched(void);'],
    ],
    HAS_TCP_RTX_QUEUE: [
      ['net/sock.h', /(struct rb_root\s+)tcp_rtx_queue;/, '$1other_queue;'],
      ['net/tcp.h', /&sk->tcp_rtx_queue/g, '&sk->other_queue'],
    ],
    HAS_TLP_RETRANS: [['linux/tcp.h', /\btlp_retrans:1/, 'other_retrans:1']],
    HAS_TRACEPOINT_BY_NAME: [
      ['linux/tracepoint.h', /(tracepoint_probe_register\()struct tracepoint \*tp/, '$1const char *name'],
    ],
    HAS_VOID_REGFUNC: [['linux/tracepoint-defs.h', /int (\(\*regfunc\))/, 'void $1']],
  };

  function headersOf(series: GuestKernel): { build: string; include: string } {
    const root = join(repository, '.cache/guest', series);
    const [release = ''] = readdirSync(join(root, 'lib/modules'));
    const common = readdirSync(join(root, 'usr/src')).find((name) => name.endsWith('-common')) ?? '';
    return {
      build: join(root, 'lib/modules', release, 'build'),
      include: join(root, 'usr/src', common, 'include'),
    };
  }

  /** Makes `goal` of a copy of kmodule/, with some headers of the kernel as changed by these replacements. */
  function configure(
    name: string,
    replacements: readonly (readonly [header: string, from: RegExp, to: string])[],
    goal = 'configure/has.h',
  ): Made & { answers: string[] } {
    const [folder, overlay] = [join(directory, name), join(directory, `${name}-headers`)];
    const { build, include } = headersOf(kernel);
    cpSync(join(repository, 'kmodule'), folder, { recursive: true });
    for (const [header, from, to] of replacements) {
      const changed = join(overlay, header);
      const text = readFileSync(existsSync(changed) ? changed : join(include, header), 'utf8');
      expect(text, `${header} of Linux ${kernel}`).toMatch(from);
      mkdirSync(dirname(changed), { recursive: true });
      writeFileSync(changed, text.replace(from, to));
    }
    // Searched before the kernel's own.
    const made = make(folder, `KDIR=${build}`, `NOSTDINC_FLAGS=-nostdinc -I${overlay}`, goal);
    const answers = join(folder, 'configure/has.h');
    return { ...made, answers: existsSync(answers) ? readFileSync(answers, 'utf8').trim().split('\n') : [] };
  }

  describe.skipIf(unavailable !== undefined)('with headers of Linux 6.1', () => {
    const IN_6_1 = [
      '/* no HAS_FTRACE_RECURSION_SAFE */',
      '#define HAS_FTRACE_REGS',
      '#define HAS_NET_NS_INUM',
      '#define HAS_RETRANSMIT_SEGS',
      '/* no HAS_SYNCHRONIZE_SCHED */',
      '#define HAS_TCP_RTX_QUEUE',
      '#define HAS_TLP_RETRANS',
      '/* no HAS_TRACEPOINT_BY_NAME */',
      '/* no HAS_VOID_REGFUNC */',
    ];

    test('as they are, and each changed to the opposite', () => {
      expect(Object.keys(OPPOSITES)).toEqual(
        readdirSync(join(repository, 'kmodule/configure'))
          .flatMap((name) => /^(HAS_\w+)\.c$/.exec(name)?.[1] ?? [])
          .sort(),
      );
      const asTheyAre = configure('as-they-are', []);
      expect(asTheyAre.answers, asTheyAre.output).toEqual(IN_6_1);
      const opposite = configure('opposite', Object.values(OPPOSITES).flat());
      expect(opposite.answers, opposite.output).toEqual(
        IN_6_1.map((line) =>
          line.startsWith('#define')
            ? line.replace('#define ', '/* no ').concat(' */')
            : line.replace('/* no ', '#define ').replace(' */', ''),
        ),
      );
    });

    test('where an error has nothing to do with the question, there is no answer', () => {
      const unrelated = configure('unrelated', [
        ['net/tcp.h', /int tcp_retransmit_skb\(.*, int segs\);/, '/* not declared */'],
      ]);
      expect(unrelated.status).not.toBe(0);
      expect(unrelated.answers).toEqual([]);
      expect(unrelated.output).toMatch(/answer HAS_RETRANSMIT_SEGS\.c with neither yes nor no/);
      expect(unrelated.output).toMatch(/HAS_RETRANSMIT_SEGS\.c.*tcp_retransmit_skb.* undeclared/);
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
