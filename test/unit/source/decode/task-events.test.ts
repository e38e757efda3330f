/** Records of tasks by hand, in the formats of an old and a new kernel. */
import { describe, expect, test } from 'vitest';
import { parseEventFormat } from '../../../../src/source/decode/format.ts';
import { compileTaskEvent, type TaskEvent } from '../../../../src/source/decode/task-events.ts';

const COMMON = [
  'unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;',
  'unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;',
  'unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;',
  'int common_pid;\toffset:4;\tsize:4;\tsigned:1;',
];
const field = (declaration: string, offset: number, size: number) =>
  `${declaration};\toffset:${offset};\tsize:${size};\tsigned:0;`;

const FIELDS: Readonly<Record<TaskEvent, readonly string[]>> = {
  task_newtask: [
    field('pid_t pid', 8, 4),
    field('char comm[16]', 12, 16),
    field('unsigned long clone_flags', 32, 8),
    field('short oom_score_adj', 40, 2),
  ],
  task_rename: [
    field('pid_t pid', 8, 4),
    field('char oldcomm[16]', 12, 16),
    field('char newcomm[16]', 28, 16),
    field('short oom_score_adj', 44, 2),
  ],
};

function formatOf(event: TaskEvent, fields: readonly string[]) {
  const lines = [...COMMON, ...fields].map((each) => `\tfield:${each}`);
  const format = parseEventFormat(`name: ${event}\nID: 204\nformat:\n${lines.join('\n')}\n`);
  if (format === null) throw new Error('the format of this test is none');
  return format;
}

function read(event: TaskEvent, record: Buffer, length = record.length) {
  const compiled = compileTaskEvent(event, formatOf(event, FIELDS[event]));
  if (!compiled.ok) throw new Error(compiled.problem);
  const heard: unknown[] = [];
  // Somewhere in a page, never at its start.
  const bytes = Buffer.concat([Buffer.alloc(5, 0xee), record, Buffer.alloc(64, 0x61)]);
  const follower = {
    began: (...told: unknown[]) => heard.push(['began', ...told]),
    renamed: (...told: unknown[]) => heard.push(['renamed', ...told]),
  };
  return { isRead: compiled.value(follower, bytes, 5, length, 77), heard };
}

function newtask(flags: bigint, name = 'bash'): Buffer {
  const record = Buffer.alloc(44);
  record.writeInt32LE(100, 4);
  record.writeInt32LE(200, 8);
  record.write(name, 12, 16);
  record.writeBigUInt64LE(flags, 32);
  return record;
}

function rename(name: string | Buffer): Buffer {
  const record = Buffer.alloc(48);
  record.writeInt32LE(100, 4);
  record.writeInt32LE(200, 8);
  record.write('old', 12);
  Buffer.from(name).copy(record, 28, 0, 16);
  return record;
}

describe('a new task', () => {
  test.each([
    // What fork(3), vfork and pthread_create of glibc ask for.
    [0x0120_0011n, false],
    [0x0000_4111n, false],
    [0x003d_0f00n, true],
    // CLONE_INTO_CGROUP is above 32 bits.
    [0x2_0000_0000n, false],
  ])('with flags %d is a thread: %s', (flags, isThread) => {
    expect(read('task_newtask', newtask(flags))).toEqual({
      isRead: true,
      heard: [['began', 200, 100, 'bash', isThread, 77]],
    });
  });
});

describe('another name', () => {
  test.each([
    ['short', 'short'],
    ['fifteen-bytes-x', 'fifteen-bytes-x'],
    // EL7 copies 16 bytes of a longer name, of which the kernel keeps 15.
    ['sixteen-bytes-xyz', 'sixteen-bytes-x'],
    ['', ''],
    ['a\rb\nc', 'a\rb\nc'],
    [Buffer.from([0x61, 0xff, 0x62]), 'a\ufffdb'],
  ])('%j is %j', (said, name) => {
    expect(read('task_rename', rename(said)).heard).toEqual([['renamed', 200, 100, name]]);
  });
});

test('a record that is too short is malformed', () => {
  expect(read('task_newtask', newtask(0n), 39)).toEqual({ isRead: false, heard: [] });
  expect(read('task_rename', rename('x'), 43)).toEqual({ isRead: false, heard: [] });
});

test.each([
  ['task_newtask', 'pid'],
  ['task_newtask', 'clone_flags'],
  ['task_rename', 'pid'],
  ['task_rename', 'newcomm'],
] as const)('the event %s without the field %s is refused', (event, name) => {
  const fields = FIELDS[event].filter((line) => !new RegExp(`\\b${name}\\b`).test(line));
  expect(compileTaskEvent(event, formatOf(event, fields))).toEqual({
    ok: false,
    problem: `event task:${event} of this kernel lacks fields`,
  });
});
