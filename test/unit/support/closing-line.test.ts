import { describe, expect, test } from 'vitest';
import { closingLines, type FinishedModule, type FinishedTest } from '../../support/closing-line.ts';

type State = ReturnType<FinishedTest['result']>['state'];

const testOf = (fullName: string, state: State, retryCount: number | null = 0): FinishedTest => ({
  fullName,
  result: () => ({ state }),
  // A test that did not run has none.
  diagnostic: () => (retryCount === null ? undefined : { retryCount }),
});

const moduleOf = (
  path: string,
  tests: FinishedTest[],
  errors: unknown[] = [],
  errorsOfGroups: unknown[][] = [],
): FinishedModule => ({
  relativeModuleId: path,
  children: { allTests: () => tests, allSuites: () => errorsOfGroups.map((of) => ({ errors: () => of })) },
  errors: () => errors,
});

describe('the last lines of a test run', () => {
  test('count the tests of all files', () => {
    const modules = [
      moduleOf('test/unit/one.test.ts', [testOf('a', 'passed'), testOf('b', 'failed')]),
      moduleOf('test/unit/two.test.ts', [testOf('c', 'passed'), testOf('d', 'skipped', null)]),
    ];
    expect(closingLines(modules, [])).toBe('retried: 0\ntests: 2 passed, 1 failed, 1 skipped\n');
  });

  test('name who was tried again, passed or failed', () => {
    const modules = [
      moduleOf('test/system/one.test.ts', [testOf('group > a', 'passed', 1), testOf('group > b', 'passed')]),
      moduleOf('test/guest/two.test.ts', [testOf('c, and more', 'failed', 2)]),
    ];
    expect(closingLines(modules, [])).toBe(
      'retried: 2: test/system/one.test.ts > group > a, test/guest/two.test.ts > c, and more\n' +
        'tests: 2 passed, 1 failed, 0 skipped\n',
    );
  });

  test('count as failed a file that was not loaded, a test that has not ended, and what belongs to no test', () => {
    const modules = [
      moduleOf('test/unit/broken.test.ts', [], [new Error('no such import'), new Error('again')]),
      moduleOf('test/unit/hung.test.ts', [testOf('a', 'pending', null), testOf('b', 'passed')]),
    ];
    expect(closingLines(modules, [new Error('unhandled')])).toBe(
      'retried: 0\ntests: 1 passed, 3 failed, 0 skipped\n',
    );
  });

  test('count as failed a group whose hooks failed, which skips its tests', () => {
    const skipped = [testOf('group > a', 'skipped', null), testOf('group > b', 'skipped', null)];
    const modules = [moduleOf('test/system/one.test.ts', skipped, [], [[], [new Error('beforeAll')]])];
    expect(closingLines(modules, [])).toBe('retried: 0\ntests: 0 passed, 1 failed, 2 skipped\n');
  });

  test('are there where nothing ran', () => {
    expect(closingLines([], [])).toBe('retried: 0\ntests: 0 passed, 0 failed, 0 skipped\n');
  });
});
