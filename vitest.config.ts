import { defineConfig } from 'vitest/config';
import closingLine from './test/support/closing-line.ts';

/** What takes minutes and both cores: `make test-stress`. */
const isStress = process.env['KTC_STRESS'] !== undefined;
/** What writes its figures into a table, once: `make test-faults`. */
const isMeasured = isStress || process.env['KTC_FAULTS'] !== undefined;
const MINUTE_MS = 60_000;

const filesOf = (...folders: string[]): string[] =>
  folders.map((folder) => `test/${folder}/**/*.${isStress ? 'stress' : 'test'}.ts`);

export default defineConfig({
  test: {
    // System tests share one kernel, one network stack and two cores: side by side they would disturb each other.
    fileParallelism: false,
    reporters: ['default', closingLine],
    setupFiles: ['test/support/surroundings.ts'],
    projects: [
      // Never tried again: nothing in them depends on anything but the code.
      { extends: true, test: { name: 'unit', include: filesOf('unit'), testTimeout: 3 * MINUTE_MS } },
      {
        extends: true,
        test: {
          name: 'system',
          include: filesOf('system', 'guest', 'fleet'),
          // A kernel, a network and other programs have their part in these. Who needed it is told at the end.
          retry: isMeasured ? 0 : 1,
          // For what hangs, above the deadlines of what a test waits for (test/support/wait.ts).
          testTimeout: 10 * MINUTE_MS,
          hookTimeout: (isStress ? 30 : 15) * MINUTE_MS,
        },
      },
    ],
  },
});
