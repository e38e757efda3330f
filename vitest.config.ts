import { defineConfig } from 'vitest/config';
import closingLine from './test/support/closing-line.ts';

/** What takes minutes and both cores: `make test-stress`. */
const isStress = process.env['KTC_STRESS'] !== undefined;
/** What writes its figures into a table, once: `make test-faults`. */
const isMeasured = isStress || process.env['KTC_FAULTS'] !== undefined;
const MINUTE_MS = 60_000;

const filesOf = (...folders: string[]): string[] =>
  folders.map((folder) => `test/${folder}/**/*.${isStress ? 'stress' : 'test'}.ts`);

/** Tests in which a kernel, a network and other programs have their part: a failed one is tried once more. Who needed it is told at the end. */
const attempted = (name: string, ...folders: string[]) =>
  ({
    extends: true,
    test: {
      name,
      include: filesOf(...folders),
      retry: isMeasured ? 0 : 1,
      // For what hangs, above the deadlines of what a test waits for (test/support/wait.ts).
      testTimeout: 10 * MINUTE_MS,
      hookTimeout: (isStress ? 30 : 15) * MINUTE_MS,
    },
  }) as const;

export default defineConfig({
  test: {
    // System tests share one kernel, one network stack and two cores: side by side they would disturb each other.
    fileParallelism: false,
    reporters: ['default', closingLine],
    setupFiles: ['test/support/surroundings.ts'],
    projects: [
      // Never tried again: nothing in them depends on anything but the code.
      { extends: true, test: { name: 'unit', include: filesOf('unit'), testTimeout: 3 * MINUTE_MS } },
      attempted('system', 'system', 'guest'),
      attempted('fleet', 'fleet'),
      attempted('query', 'query'),
    ],
  },
});
