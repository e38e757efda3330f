/** `ktc config …` run in this process, with configuration files in a directory of its own. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { configCommand } from '../../../src/cli/config.ts';
import { type Outcome, runCaptured } from '../cli/capture.ts';

/** Makes a directory of files that goes when the test ends. Objects become JSON; secrets get mode 0600. */
export function makeFiles(files: Readonly<Record<string, string | object>>): string {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-config-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(
      path,
      typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content),
    );
    chmodSync(path, name.startsWith('secret') ? 0o600 : 0o644);
  }
  return directory;
}

export async function runConfig(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  try {
    return await runCaptured(configCommand, args);
  } finally {
    vi.unstubAllEnvs();
  }
}
