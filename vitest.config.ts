import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts", "test/**/*.test.tsx"],
    // Real processes and sockets: one test file per process, and no more at once than the machines we test on have cores.
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 20_000,
    globalSetup: ["test/support/build.ts"],
    setupFiles: ["test/support/seed.ts"],
    reporters: ["default", "./scripts/summary-reporter.ts"],
  },
});
