import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createStopWishes, SAME_WISH_MS } from '../../../src/agent/signals.ts';

describe('signals that stop a session', () => {
  function setUp() {
    const clock = { ms: 5_000 };
    const heard: string[] = [];
    const signal = createStopWishes(
      { first: (name) => heard.push(`first ${name}`), again: (name) => heard.push(`again ${name}`) },
      () => clock.ms,
    );
    return { clock, heard, signal };
  }

  it('are one wish if they come together, such as those of timeout(1)', () => {
    const { clock, heard, signal } = setUp();
    signal('SIGINT');
    signal('SIGINT');
    clock.ms += SAME_WISH_MS - 1;
    signal('SIGTERM');
    expect(heard).toEqual(['first SIGINT']);
  });

  it('are a second wish a second after the first, however many came in between', () => {
    const { clock, heard, signal } = setUp();
    signal('SIGTERM');
    clock.ms += SAME_WISH_MS / 2;
    signal('SIGTERM');
    clock.ms += SAME_WISH_MS / 2;
    signal('SIGINT');
    expect(heard).toEqual(['first SIGTERM', 'again SIGINT']);
  });
});

describe('a session that waits to be aborted', () => {
  it('is aborted by the first signal, and ended by the next wish as if nobody listened', async () => {
    const program = `
      const { abortOnSignal } = await import('./src/agent/signals.ts');
      setInterval(() => {}, 1000);
      const stop = abortOnSignal();
      stop.signal.addEventListener('abort', () => process.stdout.write('aborted'));
      process.stdout.write('ready ');`;
    const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '--eval', program], {
      cwd: join(import.meta.dirname, '../../..'),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    let said = '';
    for await (const text of child.stdout.setEncoding('utf8')) {
      said += text;
      if (said === 'ready ') child.kill('SIGINT');
      if (said === 'ready aborted') break;
    }
    const again = setInterval(() => child.kill('SIGINT'), 100);
    expect(await ended).toEqual([null, 'SIGINT']);
    clearInterval(again);
    expect(said).toBe('ready aborted');
  });
});
