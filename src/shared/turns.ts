/** Runs tasks one after the other, in the order of the calls. A failed task does not stop the next one. */
export interface Turns {
  run<Result>(task: () => Promise<Result>): Promise<Result>;
  /** Resolves when every task given so far has ended. */
  idle(): Promise<void>;
}

export function createTurns(): Turns {
  let last: Promise<void> = Promise.resolve();
  return {
    run(task) {
      const result = last.then(task);
      last = result.then(
        () => undefined,
        () => undefined,
      );
      return result;
    },
    idle: () => last,
  };
}
