import { defineConfig } from 'vitest/config';

/** The appliance: needs root, QEMU and minutes, so it is not part of `npm test`. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['*.test.ts'],
    fileParallelism: false,
    testTimeout: 1_800_000,
    hookTimeout: 3_600_000,
  },
});
