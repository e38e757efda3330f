/** Settings that other programs change, on files of /proc: every kernel has them, and they end with their process. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { guardSettings } from '../../../../src/source/ftrace/settings.ts';

it('reports and restores a changed setting, and reports a file that does not exist any more', async () => {
  const child = spawn('sleep', ['60']);
  const path = `/proc/${child.pid}`;
  writeFileSync(`${path}/oom_score_adj`, '900');
  const settings = guardSettings({ path, takenOver: false }, [{ file: 'oom_score_adj', value: '900' }]);
  const current = () => readFileSync(`${path}/oom_score_adj`, 'utf8');

  expect(settings.restore()).toEqual({ changed: [], gone: null });
  writeFileSync(`${path}/oom_score_adj`, '950');
  expect(settings.restore()).toEqual({ changed: ['oom_score_adj'], gone: null });
  expect(current()).toBe('900\n');
  expect(settings.restore()).toEqual({ changed: [], gone: null });

  const ended = once(child, 'exit');
  child.kill();
  await ended;
  expect(settings.restore()).toEqual({ changed: [], gone: 'oom_score_adj' });
  settings.close();
});
