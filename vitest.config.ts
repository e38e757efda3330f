import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import closingLine from './test/support/closing-line.ts';
import { SpreadingSequencer } from './test/support/sequencer.ts';

/** What takes minutes and both cores: `make test-stress` and `make test-guest-host`. */
const isStress = process.env['KTC_STRESS'] !== undefined;
/** What writes its figures into a table, once: `make test-faults`. */
const isMeasured = isStress || process.env['KTC_FAULTS'] !== undefined;
const MINUTE_MS = 60_000;

const filesIn = (folder: string, name = '*'): string =>
  `test/${folder}/**/${name}.${isStress ? 'stress' : 'test'}.ts`;
/** Traces the kernel of this machine, as the system tests do. */
const LIVE_QUERIES = filesIn('query', '*-live');

/** Two files at a time, none of which sees what is not its own. */
const SIDE_BY_SIDE = { maxWorkers: isStress ? 1 : 2, sequence: { groupOrder: 1 } } as const;

/** Tests in which a kernel, a network and other programs have their part: a failed one is tried once more. Who needed it is told at the end. */
const TRIED_AGAIN = { retry: isMeasured ? 0 : 1 } as const;

const project = (
  name: string,
  settings: TestProjectInlineConfiguration['test'],
): TestProjectInlineConfiguration => ({
  extends: true,
  test: { name, include: [filesIn(name)], ...settings },
});

export default defineConfig({
  test: {
    globalSetup: 'test/support/made-once.ts',
    reporters: ['default', closingLine],
    setupFiles: ['test/support/surroundings.ts'],
    sequence: { sequencer: SpreadingSequencer },
    // For what hangs, above the deadlines of what a test waits for (test/support/wait.ts).
    testTimeout: 10 * MINUTE_MS,
    hookTimeout: (isStress ? 30 : 15) * MINUTE_MS,
    projects: [
      // Never tried again: nothing in them depends on anything but the code.
      project('unit', SIDE_BY_SIDE),
      project('sink', { ...SIDE_BY_SIDE, ...TRIED_AGAIN }),
      project('guest', { ...SIDE_BY_SIDE, ...TRIED_AGAIN }),
      project('fleet', { ...SIDE_BY_SIDE, ...TRIED_AGAIN }),
      project('query', { ...SIDE_BY_SIDE, ...TRIED_AGAIN, exclude: [LIVE_QUERIES] }),
      // One at a time: each sees everything that happens on this kernel and its network.
      project('system', {
        ...TRIED_AGAIN,
        include: [filesIn('system'), LIVE_QUERIES],
        fileParallelism: false,
      }),
    ],
  },
});
