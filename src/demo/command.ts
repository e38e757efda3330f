/** One external command, run to its end. */
import { spawn } from 'node:child_process';

export type CommandResult =
  | { readonly kind: 'done'; readonly output: string }
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed'; readonly message: string };

/**
 * Runs `program` and returns what it printed. `failed` carries the first line of its standard error;
 * `missing` says that there is no such program in PATH.
 */
export function runCommand(program: string, args: readonly string[], input = ''): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    child.on('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'ENOENT' ? { kind: 'missing' } : { kind: 'failed', message: error.message }),
    );
    child.on('close', (code, signal) => {
      if (code === 0) resolve({ kind: 'done', output });
      else
        resolve({ kind: 'failed', message: errors.trim().split('\n')[0] || `ended with ${code ?? signal}` });
    });
    // A program that ends before it has read its input says why on its own standard error.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}
