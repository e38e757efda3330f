/** How the tests, and Ansible, reach a host over ssh: as root, with the key that scripts/host-root.sh has given to every root. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export const HOST_CACHE = join(import.meta.dirname, '../../../.cache/hosts');

/** Words for a shell: the host's key is as new as the host. */
export const SSH_OPTIONS = `-i ${join(HOST_CACHE, 'ssh-key')} -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR`;

export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a script by bash on a host. `words` of a shell lead there: ssh's options, and the name. */
export async function attemptOver(words: string, script: string): Promise<Output> {
  const child = spawn('sh', ['-c', `exec ssh ${words} bash -euo pipefail -s`]);
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  // A host that does not answer has ended ssh before it has read its input.
  child.stdin.on('error', () => {});
  child.stdin.end(script);
  await once(child, 'close');
  return { code: child.exitCode ?? 255, stdout, stderr };
}

/** What the script has printed; throws unless it ended with 0. */
export function outputOf(name: string, script: string, { code, stdout, stderr }: Output): string {
  if (code !== 0) throw new Error(`${name}: exit code ${code} of ${script}\n${stdout}\n${stderr}`);
  return stdout;
}
