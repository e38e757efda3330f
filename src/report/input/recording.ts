/** Events of a recording: another process replays it, as `ktc replay --json` does. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Chunk, inputRefusal } from './input.ts';

/** `program` runs `ktc`: node, its options, and the bundle. What it says about the recording goes to `onProblem`. */
export async function* replay(
  path: string,
  program: readonly string[],
  onProblem: (problem: string) => void,
): AsyncGenerator<Chunk> {
  const [node = process.execPath, ...words] = program;
  const child = spawn(node, [...words, 'replay', '--json', path], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  try {
    for await (const value of child.stdout) yield { ok: true, value };
    const [code] = await ended;
    const lines = said.split('\n').filter((line) => line !== '');
    if (code !== 0)
      yield inputRefusal('damaged', (lines.at(-1) ?? `${path} cannot be replayed`).replace(/^ktc: /, ''));
    else for (const line of lines) onProblem(line);
  } finally {
    child.kill();
  }
}
