import { defineConfig } from 'vitest/config';
import closingLine from './test/support/closing-line.ts';

export default defineConfig({
  test: {
    // Stress takes minutes and both cores: `make test-stress`.
    include: [process.env['KTC_STRESS'] === undefined ? 'test/**/*.test.ts' : 'test/**/*.stress.ts'],
    // System tests share one kernel, one network stack and two cores: side by side they would measure each other.
    fileParallelism: false,
    testTimeout: 30_000,
    hookTimeout: 180_000,
    reporters: ['default', closingLine],
  },
});
