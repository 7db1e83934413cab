import { defineConfig } from "vitest/config";

/** Two workers: CI has two cores. The summary reporter prints the line CI reads. */
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    pool: "threads",
    maxWorkers: 2,
    reporters: ["default", "./test/support/summary-reporter.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
