/** What the tests of a group share, made anew where one of them is tried again. */

/** What is read of a test's context. */
export interface Tried {
  readonly task: { readonly result?: { readonly retryCount?: number } | undefined };
}

/** A guest that does not boot is not booted again for each of its tests. */
const MOST_TIMES = 2;

/**
 * For `beforeEach`: gives what `make` gave to the first test. Where a test is tried again it is made once more, because
 * what the test failed of may be in it.
 */
export function shared<State>(make: () => Promise<State>): (test: Tried) => Promise<State> {
  let times = 0;
  let state: Promise<State> | null = null;
  return ({ task }) => {
    const isTriedAgain = (task.result?.retryCount ?? 0) > 0;
    if (state === null || (isTriedAgain && times < MOST_TIMES)) {
      times++;
      state = make();
    }
    return state;
  };
}
