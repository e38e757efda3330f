/** Configurations and directories of agent tests. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type LoadedConfig, loadConfig } from '../../../src/config/load.ts';

export const RECORDING = join(import.meta.dirname, '../../recordings/linux-6.18.ktcrec');

/** A directory that goes when the test ends. */
export function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-agent-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A replay without a telemetry endpoint, and what is given here over it. Throws every problem of it. */
export function configOf(flags: Readonly<Record<string, string>>): LoadedConfig {
  const result = loadConfig({
    file: null,
    environment: {},
    flags: {
      'source.kind': 'replay',
      'source.recording': RECORDING,
      'telemetry.http.enabled': 'false',
      'log.level': 'silent',
      'spool.enabled': 'false',
      ...flags,
    },
  });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.value;
}
