import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const source = JSON.stringify(
  join(import.meta.dirname, '../../../../../src/sink/kafka/kafkajs/containment.ts'),
);

/** What a process of its own prints and ends with: the test runner listens to uncaught exceptions itself. */
function run(script: string): Promise<{ status: number | string | undefined; out: string; told: string }> {
  const text = `import { contain } from ${source};\n${script}`;
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--no-warnings', '--input-type=module-typescript', '-e', text],
      (error, out, told) => resolve({ status: error?.code ?? (error ? 'killed' : 0), out, told }),
    );
  });
}

const containAll = `
  contain((fault) => console.log('contained', fault.message), () => {
    setTimeout(() => { throw new Error('in a timer'); }, 1);
    Promise.reject(new Error('in a promise'));
    (async () => { await new Promise((resolve) => setTimeout(resolve, 20)); throw new Error('after an await'); })();
  });`;

describe('containment', () => {
  it('hands over what contained code throws outside of every call', async () => {
    const { status, out } = await run(containAll);
    expect(out).toBe('contained in a promise\ncontained in a timer\ncontained after an await\n');
    expect(status).toBe(0);
  });

  it('lets every other fault end the process loudly', async () => {
    const { status, told } = await run(`${containAll}\nsetTimeout(() => { throw new Error('a bug'); }, 40);`);
    expect(told).toContain('Error: a bug');
    expect(status).not.toBe(0);
  });

  it('leaves other faults to a handler of the program', async () => {
    const { status, out } = await run(
      `contain(() => {}, () => {}); process.on('uncaughtException', (error) => console.log('own', error.message));
      setTimeout(() => { throw new Error('a bug'); }, 1);`,
    );
    expect(out).toBe('own a bug\n');
    expect(status).toBe(0);
  });

  it('listens once, however often it is asked', async () => {
    const { out } = await run(
      `for (let round = 0; round < 20; round++) contain(() => {}, () => {});
      console.log(process.listenerCount('uncaughtException'));`,
    );
    expect(out).toBe('1\n');
  });
});
