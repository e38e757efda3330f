/** Every shell example of the documentation runs, as it stands there. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { whyNoAgent } from '../support/agent.ts';
import { DEADLINE_MS } from '../support/wait.ts';

const ROOT = join(import.meta.dirname, '../..');
const missing = whyNoAgent();
if (missing) console.warn(`skipped: examples of the documentation: ${missing}`);

const pages = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];
const examples = pages.flatMap((page) =>
  [...readFileSync(join(ROOT, page), 'utf8').matchAll(/^```sh\n(.*?)^```$/gms)].map(
    ([, script = '']) => [page, script] as const,
  ),
);

describe.skipIf(missing)('the examples', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-docs-'));
  afterAll(() => rmSync(directory, { recursive: true }));

  it('are found', () => expect(examples.length).toBeGreaterThan(5));

  it.each(examples)('of %s run: %s', (_, script) => {
    const { status, stderr } = spawnSync('bash', ['-euc', script], {
      // From a socket, which it would be else, bash takes itself to be run by sshd and reads the host's bashrc.
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: directory,
      encoding: 'utf8',
      timeout: DEADLINE_MS,
      env: { ...process.env, KTC: ROOT, PATH: `${ROOT}/bin:${process.env['PATH']}` },
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it.each(pages)('%s links only to what is there', (page) => {
    const text = readFileSync(join(ROOT, page), 'utf8');
    for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)#]+)/g)) {
      expect(existsSync(join(ROOT, page, '..', target)), `${page} links to ${target}`).toBe(true);
    }
  });
});
