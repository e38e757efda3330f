/** Runs `ktc check`, as an operator does before the agent runs. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import type { Finding } from '../../src/agent/check/finding.ts';
import { KTC } from './agent.ts';

const RECORDING = join(import.meta.dirname, '../recordings/linux-6.18.ktcrec');

export interface Checked {
  readonly code: number;
  readonly findings: readonly Finding[];
  readonly stdout: string;
  readonly stderr: string;
}

/** Checks an agent that reads a recording, so that no kernel is needed, with these settings by `--set`. */
export function checkSettings(
  settings: Readonly<Record<string, string>>,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Checked> {
  const args = Object.entries({
    'source.kind': 'replay',
    'source.recording': RECORDING,
    'spool.enabled': 'false',
    'telemetry.http.enabled': 'false',
    ...settings,
  }).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  return new Promise((resolve, reject) => {
    execFile(KTC, ['check', '--json', ...args], { env }, (error, stdout, stderr) => {
      if (stdout === '') return reject(error ?? new Error(stderr));
      resolve({ code: Number(error?.code ?? 0), findings: JSON.parse(stdout) as Finding[], stdout, stderr });
    });
  });
}
