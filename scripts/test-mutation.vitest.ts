/** How test-mutation.ts runs the unit tests that are to notice a fault: it names them in the environment. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: (process.env['MUTATION_TESTS'] ?? '').split(' '), testTimeout: 30_000 },
});
