/** Records of tasks by hand. */
import { describe, expect, test } from 'vitest';
import { parseEventFormat } from '../../../../src/source/decode/format.ts';
import { compileTaskEvent, type TaskEvent } from '../../../../src/source/decode/task-events.ts';
import { taskFormat } from '../../../support/task-formats.ts';

function formatOf(event: TaskEvent, without?: string) {
  const format = parseEventFormat(taskFormat(event, 204, without));
  if (format === null) throw new Error('the format of this test is none');
  return format;
}

function read(event: TaskEvent, record: Buffer, length = record.length) {
  const compiled = compileTaskEvent(event, formatOf(event));
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
  expect(compileTaskEvent(event, formatOf(event, name))).toEqual({
    ok: false,
    problem: `event task:${event} of this kernel lacks fields`,
  });
});
