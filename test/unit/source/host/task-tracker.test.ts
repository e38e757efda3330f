/** Which process a thread number stands for at the moment of a record, by made-up records and answers of /proc. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createTaskTracker, type ThreadFacts } from '../../../../src/source/host/task-tracker.ts';
import { taskOf } from '../../../support/tasks.ts';

const SHELL = 100;
const CHILD = 200;
const KTHREADD = 2;
const KERNEL_THREAD = 30;

interface Proc {
  pid?: number;
  comm: string;
  isKernel?: boolean;
  since?: number;
  unit?: string;
}

/** A tracker, and a /proc that a test can change. `asked` lists the threads that were looked up there. */
function createFixture(capacity?: number) {
  const proc = new Map<number, Proc>([
    [SHELL, { comm: 'bash' }],
    [KTHREADD, { comm: 'kthreadd', isKernel: true }],
  ]);
  const asked: number[] = [];
  const placesAsked: number[] = [];
  const tracker = createTaskTracker({
    ...(capacity !== undefined && { capacity }),
    ask(thread): ThreadFacts | null {
      asked.push(thread);
      const found = proc.get(thread);
      if (found === undefined) return null;
      const { pid = thread, comm, isKernel = false, since = Number.NEGATIVE_INFINITY } = found;
      return { who: { pid, comm, isKernel }, since };
    },
    askPlace(pid, since) {
      placesAsked.push(pid);
      const found = proc.get(pid);
      if (found === undefined || (found.since ?? since) > since) return null;
      return { unit: found.unit ?? null, containerId: null };
    },
  });
  const who = (thread: number, time = 1_000) => {
    const { pid, comm } = tracker.find(thread, 0, time);
    return `${pid} ${comm}`;
  };
  const unitOf = (thread: number, time = 1_000) => tracker.find(thread, 0, time).unit;
  return { proc, asked, placesAsked, tracker, who, unitOf };
}

describe('a task that its records tell of', () => {
  test('is known without /proc, with the name of its creator until it has its own', () => {
    const { tracker, who, asked } = createFixture();
    tracker.began(CHILD, SHELL, 'bash', false, 10);
    expect(who(CHILD)).toBe('200 bash');
    tracker.renamed(CHILD, CHILD, 'curl');
    expect(who(CHILD)).toBe('200 curl');
    // The creator was asked for, because its child might have been a thread of its process.
    expect(asked).toEqual([SHELL]);
  });

  test('keeps the name that it had at the moment of an earlier record', () => {
    const { tracker } = createFixture();
    tracker.began(CHILD, SHELL, 'bash', false, 10);
    const before = tracker.find(CHILD, 0, 20);
    tracker.renamed(CHILD, CHILD, 'python3');
    expect(before.comm).toBe('bash');
    expect(tracker.find(CHILD, 0, 30).comm).toBe('python3');
  });

  test('is the same object until it changes, because its bytes are made once', () => {
    const { tracker } = createFixture();
    tracker.began(CHILD, SHELL, 'bash', false, 10);
    expect(tracker.find(CHILD, 0, 20)).toBe(tracker.find(CHILD, 1, 30));
  });

  test('is a thread of its process, also after both have ended', () => {
    const { tracker, who, proc } = createFixture();
    tracker.began(201, SHELL, 'bash', true, 10);
    tracker.renamed(201, 201, 'worker-1');
    tracker.began(202, 201, 'worker-1', true, 20);
    proc.clear();
    expect([who(201), who(202)]).toEqual(['100 worker-1', '100 worker-1']);
  });

  test('of which another thread changes the name has that name, and the other one keeps its own', () => {
    const { tracker, who } = createFixture();
    tracker.began(201, SHELL, 'bash', true, 10);
    tracker.renamed(201, SHELL, 'named');
    expect([who(201), who(SHELL)]).toEqual(['100 named', '100 bash']);
    tracker.renamed(SHELL, SHELL, 'main');
    expect([who(201), who(SHELL)]).toEqual(['100 named', '100 main']);
  });

  test('whose number is used again is another task', () => {
    const { tracker, who } = createFixture();
    tracker.began(CHILD, SHELL, 'first', false, 10);
    tracker.began(CHILD, SHELL, 'second', true, 20);
    expect(who(CHILD)).toBe('100 second');
  });

  test('of the kernel is known as such, until it becomes a process by exec', () => {
    const { tracker, proc } = createFixture();
    tracker.began(KERNEL_THREAD, KTHREADD, 'kthreadd', false, 10);
    // The creator names it (`kthread_create`).
    tracker.renamed(KERNEL_THREAD, KTHREADD, 'kworker/0:1');
    expect(tracker.find(KERNEL_THREAD, 0, 20)).toEqual(taskOf(30, 'kworker/0:1', { isKernel: true }));
    tracker.began(CHILD, KERNEL_THREAD, 'kworker/0:1', false, 30);
    proc.set(CHILD, { comm: 'modprobe' });
    tracker.renamed(CHILD, CHILD, 'modprobe');
    expect(tracker.find(CHILD, 0, 40)).toEqual(taskOf(200, 'modprobe'));
  });
});

describe('a task that is older than the records', () => {
  test('is asked for once', () => {
    const { asked, who, tracker } = createFixture();
    expect([who(SHELL), who(SHELL)]).toEqual(['100 bash', '100 bash']);
    tracker.renamed(SHELL, SHELL, 'dash');
    expect(who(SHELL)).toBe('100 dash');
    expect(asked).toEqual([SHELL]);
  });

  test('is not asked for if it was primed, and its records go on from there', () => {
    const { asked, who, tracker } = createFixture();
    tracker.prime(300, { who: { pid: 300, comm: 'nginx', isKernel: false }, since: 0 });
    tracker.renamed(300, 300, 'nginx: worker');
    expect([who(300), asked.length]).toEqual(['300 nginx: worker', 0]);
  });

  test('is unknown, never a guess, when it has ended', () => {
    const { who, asked } = createFixture();
    expect([who(999), who(999)]).toEqual(['null null', 'null null']);
    expect(asked).toEqual([999]);
  });

  test('is not taken for what has its number now', () => {
    const { who, proc } = createFixture();
    proc.set(400, { comm: 'younger', since: 500 });
    expect([who(400, 499), who(400, 500)]).toEqual(['null null', '400 younger']);
  });

  test('is unknown with its threads if it ended before its number was asked for', () => {
    const { tracker, who } = createFixture();
    tracker.began(501, 500, 'gone', true, 10);
    tracker.began(502, 500, 'gone', false, 10);
    // A new process has its own number, whoever made it.
    expect([who(501), who(502)]).toEqual(['null gone', '502 gone']);
  });
});

describe('after records were lost', () => {
  test('everything is asked again, because a task may have ended, and another have its number', () => {
    const { tracker, who, proc, asked } = createFixture();
    tracker.began(CHILD, SHELL, 'bash', false, 10);
    tracker.began(201, SHELL, 'bash', false, 10);
    const shell = tracker.find(SHELL, 0, 20);
    tracker.lost();
    proc.set(CHILD, { comm: 'sshd' });
    expect([who(CHILD), who(201)]).toEqual(['200 sshd', 'null null']);
    expect(tracker.find(SHELL, 0, 30)).toBe(shell);
    expect(asked).toEqual([SHELL, CHILD, 201, SHELL]);
  });

  test('what is told afterwards is right', () => {
    const { tracker, who } = createFixture();
    tracker.began(CHILD, SHELL, 'bash', false, 10);
    tracker.lost();
    tracker.renamed(CHILD, CHILD, 'of nobody knows which process');
    expect(who(CHILD)).toBe('null null');
    tracker.began(CHILD, SHELL, 'bash', false, 40);
    tracker.renamed(CHILD, CHILD, 'wget');
    expect(who(CHILD)).toBe('200 wget');
  });
});

describe('the place of a process', () => {
  test('is asked for once, when it is needed, and holds for its threads', () => {
    const { tracker, proc, unitOf, placesAsked } = createFixture();
    proc.set(CHILD, { comm: 'nginx', unit: 'nginx.service' });
    tracker.began(CHILD, SHELL, 'bash', false, 10);
    tracker.began(201, CHILD, 'nginx', true, 20);
    expect(placesAsked).toEqual([]);
    expect([unitOf(201), unitOf(CHILD), unitOf(201)]).toEqual([
      'nginx.service',
      'nginx.service',
      'nginx.service',
    ]);
    expect(placesAsked).toEqual([CHILD]);
  });

  test('is that of its nearest ancestor that is there, if it has ended', () => {
    const { tracker, proc, unitOf } = createFixture();
    proc.set(SHELL, { comm: 'bash', unit: 'backup.service' });
    tracker.began(CHILD, SHELL, 'bash', false, 10);
    tracker.began(201, CHILD, 'bash', false, 20);
    expect(unitOf(201)).toBe('backup.service');
  });

  test('is unknown if the number of its parent stands for another process by then', () => {
    const { tracker, proc, unitOf } = createFixture();
    proc.set(SHELL, { comm: 'bash', unit: 'backup.service' });
    tracker.began(CHILD, SHELL, 'bash', false, 10);
    tracker.began(201, CHILD, 'bash', false, 20);
    tracker.began(CHILD, SHELL, 'another', false, 30);
    expect(unitOf(201)).toBeNull();
  });

  test('is not that of systemd, which puts each of its children into another unit', () => {
    const { tracker, proc, unitOf } = createFixture();
    proc.set(1, { comm: 'systemd', unit: 'init.scope' });
    tracker.began(CHILD, 1, 'systemd', false, 10);
    expect([unitOf(CHILD), unitOf(1)]).toEqual([null, 'init.scope']);
  });

  test('is not that of a later process with its number', () => {
    const { tracker, proc, unitOf } = createFixture();
    tracker.began(CHILD, SHELL, 'first', false, 10);
    proc.set(CHILD, { comm: 'second', unit: 'second.service', since: 20 });
    expect(unitOf(CHILD)).toBeNull();
  });

  test('is asked for again after exec, which comes after systemd has put the process there', () => {
    const { tracker, proc, unitOf } = createFixture();
    tracker.began(CHILD, SHELL, 'systemd', false, 10);
    proc.set(CHILD, { comm: 'systemd', unit: 'init.scope' });
    expect(unitOf(CHILD)).toBe('init.scope');
    tracker.renamed(CHILD, CHILD, 'sshd');
    proc.set(CHILD, { comm: 'sshd', unit: 'sshd.service' });
    expect(unitOf(CHILD)).toBe('sshd.service');
    proc.delete(CHILD);
    tracker.renamed(CHILD, CHILD, 'sshd: user');
    expect(unitOf(CHILD)).toBe('sshd.service');
  });

  test('is not asked for of a thread of the kernel', () => {
    const { unitOf, placesAsked } = createFixture();
    expect([unitOf(KTHREADD), placesAsked]).toEqual([null, []]);
  });
});

describe('the memory', () => {
  test('is bounded, and keeps those that are asked for', () => {
    const { tracker, who, asked } = createFixture(16);
    for (let thread = 1_000; thread < 2_000; thread++) {
      tracker.began(thread, SHELL, `n${thread}`, false, thread);
      who(SHELL);
    }
    expect(asked).toEqual([SHELL]);
    expect(who(1_999, 5_000)).toBe('1999 n1999');
    expect(who(1_000, 5_000)).toBe('null null');
    // 1,000 is what /proc does not know.
    expect(asked).toEqual([SHELL, 1_000]);
  });

  test('never makes an answer wrong, whatever its size', () => {
    const step = fc.record({
      kind: fc.constantFrom('fork', 'thread', 'rename', 'exit', 'find', 'lost'),
      thread: fc.integer({ min: 1, max: 12 }),
      by: fc.integer({ min: 1, max: 12 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 20 }), (steps, capacity) => {
        // The truth: what the kernel would say at each moment.
        const alive = new Map([[1, { pid: 1, comm: 'init' }]]);
        const tracker = createTaskTracker({
          capacity,
          ask(thread) {
            const task = alive.get(thread);
            return task === undefined ? null : { who: { ...task, isKernel: false }, since: 0 };
          },
          askPlace: () => null,
        });
        steps.forEach(({ kind, thread, by }, index) => {
          const creator = alive.get(by);
          const comm = `n${index}`;
          if ((kind === 'fork' || kind === 'thread') && creator !== undefined && !alive.has(thread)) {
            tracker.began(thread, by, creator.comm, kind === 'thread', index);
            alive.set(thread, { pid: kind === 'thread' ? creator.pid : thread, comm: creator.comm });
          } else if (kind === 'rename' && alive.has(thread)) {
            tracker.renamed(thread, thread, comm);
            alive.set(thread, { pid: alive.get(thread)?.pid ?? 0, comm });
          } else if (kind === 'exit') {
            alive.delete(thread);
          } else if (kind === 'lost') {
            tracker.lost();
          }
          // Only who is alive makes records.
          for (const [each, task] of alive) {
            if (each === thread || kind === 'find') expect(tracker.find(each, 0, index)).toMatchObject(task);
          }
        });
      }),
    );
  });
});
