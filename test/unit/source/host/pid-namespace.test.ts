import { describe, expect, test } from 'vitest';
import { isInitialPidNamespace } from '../../../../src/source/host/pid-namespace.ts';

describe('the initial pid namespace', () => {
  test('is told by its inode, which is the same on every host', () => {
    // A file of another kind of namespace stands in for a namespace that is another one.
    expect(isInitialPidNamespace('/proc/self/ns/mnt')).toBe(false);
  });

  test('is the only one of a kernel without such namespaces', () => {
    expect(isInitialPidNamespace('/proc/self/ns/none')).toBe(true);
  });
});
