/** Suspends a process, so that it hangs with its connections open. */
import { readdirSync, readFileSync } from 'node:fs';
import { until } from './wait.ts';

/** SIGSTOP, which takes a moment: until every thread has stopped, the process may answer still. */
export async function suspend(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  await until(() => isStopped(pid), `process ${pid} stopped`);
}

/** By the state of every thread, the field after the name in parentheses (proc(5)). */
function isStopped(pid: number): boolean {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).every((id) =>
    / T /.test(readFileSync(`${tasks}/${id}/stat`, 'utf8').replace(/^.*\)/, '')),
  );
}
