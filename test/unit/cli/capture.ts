/** Runs a command in this process and captures what it prints. */
import { vi } from 'vitest';
import type { Command } from '../../../src/cli/command.ts';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runCaptured(command: Command, words: readonly string[]): Promise<Outcome> {
  const capture = (stream: NodeJS.WriteStream) => {
    const written: string[] = [];
    const spy = vi.spyOn(stream, 'write').mockImplementation((text) => {
      written.push(String(text));
      return true;
    });
    return { text: () => written.join(''), restore: () => spy.mockRestore() };
  };
  const stdout = capture(process.stdout);
  const stderr = capture(process.stderr);
  try {
    const code = await command(words);
    return { code, stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    stdout.restore();
    stderr.restore();
  }
}
