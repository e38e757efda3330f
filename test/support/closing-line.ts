/** The last two lines of a test run: who was tried again, and the counts in the form that continuous integration reads. */
import type { Reporter, TestCase, TestModule } from 'vitest/node';

/** What is read of a test file's results. */
export interface FinishedModule {
  /** Its path, from the root of the repository. */
  readonly relativeModuleId: string;
  readonly children: {
    allTests(): Iterable<FinishedTest>;
    allSuites(): Iterable<Pick<FinishedModule, 'errors'>>;
  };
  /** Why the file could not be loaded; of a group, how its hooks failed. */
  errors(): ArrayLike<unknown>;
}

/** What is read of a test's result. */
export interface FinishedTest {
  /** With the names of the groups it is in. */
  readonly fullName: string;
  result(): Pick<ReturnType<TestCase['result']>, 'state'>;
  diagnostic(): { readonly retryCount: number } | undefined;
}

/**
 * `retried: 1: test/system/x.test.ts > group > name`, then `tests: 7 passed, 0 failed, 1 skipped`.
 *
 * `errors` are those that belong to no test. Each counts as a failed test, and so does a file that could not be loaded,
 * a group whose hooks failed, which skips its tests, or a test that has not ended.
 */
export function closingLines(modules: readonly FinishedModule[], errors: readonly unknown[]): string {
  const counts = { passed: 0, failed: 0, skipped: 0, pending: 0 };
  const retried: string[] = [];
  for (const module of modules) {
    for (const test of module.children.allTests()) {
      counts[test.result().state]++;
      if ((test.diagnostic()?.retryCount ?? 0) > 0)
        retried.push(`${module.relativeModuleId} > ${test.fullName}`);
    }
    for (const part of [module, ...module.children.allSuites()])
      if (part.errors().length > 0) counts.failed++;
  }
  const failed = counts.failed + counts.pending + errors.length;
  const names = retried.length > 0 ? `: ${retried.join(', ')}` : '';
  return `retried: ${retried.length}${names}\ntests: ${counts.passed} passed, ${failed} failed, ${counts.skipped} skipped\n`;
}

const closingLine: Reporter = {
  // vitest shows no errors of a test that has passed in the end.
  onTestCaseResult(test) {
    const result = test.result();
    if (result.state !== 'passed') return;
    for (const { message, stack } of result.errors ?? [])
      process.stdout.write(
        `tried again: ${test.module.relativeModuleId} > ${test.fullName}: ${stack ?? message}\n`,
      );
  },
  onTestRunEnd(modules: readonly TestModule[], errors) {
    process.stdout.write(closingLines(modules, errors));
  },
};

export default closingLine;
