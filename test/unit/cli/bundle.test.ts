import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { KTC } from '../../support/agent.ts';

/** Runs the bundle as Node.js does, and tells at its end which modules of Node.js were loaded. */
const PROGRAM = `
  process.on('exit', () => console.error(JSON.stringify(process.moduleLoadList)));
  process.argv = [process.execPath, process.argv[1], '--version'];
  require(process.argv[1]);`;

test('at its start the bundle loads nothing of what only some agents need, or need for a moment', () => {
  const { stderr } = spawnSync(process.execPath, ['--eval', PROGRAM, `${KTC}.cjs`], { encoding: 'utf8' });
  const loaded = JSON.parse(stderr) as string[];
  expect(loaded).toContain('NativeModule net');
  for (const name of ['assert', 'child_process', 'crypto', 'fs/promises', 'http', 'http2', 'https', 'tls'])
    expect(loaded).not.toContain(`NativeModule ${name}`);
});
