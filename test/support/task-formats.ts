/** The formats of the kernel's records of tasks, as every kernel from 3.10 on has them on x86-64. */
import type { TaskEvent } from '../../src/source/decode/task-events.ts';

const field = (declaration: string, offset: number, size: number, signed = 0) =>
  `\tfield:${declaration};\toffset:${offset};\tsize:${size};\tsigned:${signed};`;

const COMMON = [
  field('unsigned short common_type', 0, 2),
  field('unsigned char common_flags', 2, 1),
  field('unsigned char common_preempt_count', 3, 1),
  field('int common_pid', 4, 4, 1),
];

const FIELDS: Readonly<Record<TaskEvent, readonly string[]>> = {
  task_newtask: [
    field('pid_t pid', 8, 4, 1),
    field('char comm[16]', 12, 16),
    field('unsigned long clone_flags', 32, 8),
    field('short oom_score_adj', 40, 2, 1),
  ],
  task_rename: [
    field('pid_t pid', 8, 4, 1),
    field('char oldcomm[16]', 12, 16),
    field('char newcomm[16]', 28, 16),
    field('short oom_score_adj', 44, 2, 1),
  ],
};

/** The text of the event's format file; `without` names a field that this kernel lacks. */
export function taskFormat(event: TaskEvent, id: number, without?: string): string {
  const lacks = (line: string) => without !== undefined && new RegExp(`\\b${without}\\b`).test(line);
  const fields = FIELDS[event].filter((line) => !lacks(line));
  return [`name: ${event}`, `ID: ${id}`, 'format:', ...COMMON, ...fields, ''].join('\n');
}
