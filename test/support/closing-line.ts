/** The last line of a test run, in the plain form that continuous integration reads. */
import type { Reporter, TestModule } from 'vitest/node';

const counted = { passed: 0, failed: 0, skipped: 0, pending: 0 };

const closingLine: Reporter = {
  onTestRunEnd(modules: readonly TestModule[], errors) {
    const counts = { ...counted };
    for (const module of modules) {
      for (const test of module.children.allTests()) counts[test.result().state]++;
      // A file that could not be loaded has no tests that could fail.
      if (module.errors().length > 0) counts.failed++;
    }
    const failed = counts.failed + counts.pending + errors.length;
    process.stdout.write(`tests: ${counts.passed} passed, ${failed} failed, ${counts.skipped} skipped\n`);
  },
};

export default closingLine;
