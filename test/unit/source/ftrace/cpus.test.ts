import { expect, test } from 'vitest';
import { createBufferCpus } from '../../../../src/source/ftrace/cpus.ts';

test('of the many CPUs that a kernel is prepared for, only those that are online count', () => {
  const cpus = createBufferCpus(
    96,
    () => false,
    () => [0, 1, 2],
  );
  expect([cpus.possible, cpus.present()]).toEqual([96, [0, 1, 2]]);
});

test('a CPU that is offline counts if it left records, and one that comes online later stays', () => {
  let online = [0, 1];
  const cpus = createBufferCpus(
    8,
    (cpu) => cpu === 5,
    () => online,
  );
  expect(cpus.present()).toEqual([0, 1, 5]);
  online = [0, 3];
  expect(cpus.present()).toEqual([0, 1, 3, 5]);
  online = [0];
  expect(cpus.present()).toEqual([0, 1, 3, 5]);
});

test('where all CPUs are online, nobody is asked again', () => {
  let asked = 0;
  const cpus = createBufferCpus(
    2,
    () => false,
    () => {
      asked++;
      return [0, 1];
    },
  );
  for (let count = 0; count < 5; count++) expect(cpus.present()).toEqual([0, 1]);
  expect(asked).toBe(1);
});
