/** The order of the test files. */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Spreads the files of each project over the whole run. Where two run at a time, one that computes, such as a guest, has
 * mostly one that waits beside it, such as hosts, and not another one of its own kind.
 */
export class SpreadingSequencer extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const places = new Map<TestSpecification, number>();
    for (const ofProject of Map.groupBy(sorted, ({ project }) => project.name).values())
      for (const [index, file] of ofProject.entries()) places.set(file, index / ofProject.length);
    return sorted.sort((one, other) => (places.get(one) ?? 0) - (places.get(other) ?? 0));
  }
}
