import { defineConfig } from 'vitest/config';

/** A Postgres for those that bring none. */
const globalSetup = ['test/support/global-setup.ts'];

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 3,
    coverage: {
      provider: 'v8',
      include: ['functions/**', 'schema/**/*.ts', 'worker-agent/src/**'],
      reporter: ['text-summary', 'json-summary'],
      thresholds: { lines: 80, functions: 80, statements: 80 },
    },
    projects: [
      { extends: true, test: { name: 'main', globalSetup, include: ['test/**/*.test.ts'], exclude: ['test/{chaos,load,deployed}/**'] } },
      {
        extends: true,
        test: { name: 'chaos', globalSetup, include: ['test/{chaos,load}/**/*.test.ts'], testTimeout: 180_000, fileParallelism: false },
      },
      { extends: true, test: { name: 'deployed', include: ['test/{conformance,deployed}/**/*.test.ts'] } },
    ],
  },
});
