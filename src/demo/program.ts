/** Runs an external program to its end. */
import { spawn } from 'node:child_process';
import { hasErrorCode } from '../shared/errors.ts';
import { type Result, success } from '../shared/result.ts';

/**
 * Gives what the program printed to standard output. A refusal has the first line of its standard error, or tells
 * that no such program is in PATH.
 */
export function runProgram(
  program: string,
  args: readonly string[],
  input = '',
): Promise<Result<string, { isMissing: boolean }>> {
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
    child.on('error', (error) =>
      resolve({ ok: false, problem: error.message, isMissing: hasErrorCode(error, 'ENOENT') }),
    );
    child.on('close', (code, signal) => {
      const [firstLine] = errors.trim().split('\n');
      if (code === 0) resolve(success(output));
      else resolve({ ok: false, problem: firstLine || `ended with ${code ?? signal}`, isMissing: false });
    });
    // A program that ends before it has read its input says why on its own standard error.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}
