/** Settings that others change: on files of /proc, which anybody's kernel has and which go with their process. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { holdSettings } from '../../../../src/source/ftrace/settings.ts';

it('tells what was changed, puts it back, and tells what is no more', async () => {
  const child = spawn('sleep', ['60']);
  const path = `/proc/${child.pid}`;
  writeFileSync(`${path}/oom_score_adj`, '900');
  const settings = holdSettings({ path, takenOver: false }, [{ file: 'oom_score_adj', value: '900' }]);
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
