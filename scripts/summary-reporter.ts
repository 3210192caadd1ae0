import { writeFileSync } from "node:fs";
import type { Reporter, TestModule } from "vitest/node";

/**
 * Names at the end of a run what was skipped, so that a missing program never hides a test, and writes the counts to the
 * file that FULCRUM_TEST_COUNTS names (.ci/run adds them up).
 */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const skipped = new Map<string, number>();
    for (const module of modules) {
      for (const test of module.children.allTests("skipped")) {
        const why = /\[needs ([^\]]+)\]/.exec(test.fullName)?.[1];
        const line = `${module.relativeModuleId}: ${why === undefined ? test.fullName : `needs ${why}`}`;
        skipped.set(line, (skipped.get(line) ?? 0) + 1);
      }
    }
    if (skipped.size > 0) process.stdout.write("\nSkipped tests:\n");
    for (const [line, count] of skipped) process.stdout.write(`  ${String(count).padStart(3)}  ${line}\n`);
    const file = process.env["FULCRUM_TEST_COUNTS"];
    if (file !== undefined && file !== "") writeFileSync(file, `${JSON.stringify(countsOf(modules))}\n`);
  }
}

interface Counts {
  readonly passed: number;
  /** Failed tests, and files that failed before their tests ran. */
  readonly failed: number;
  readonly skipped: number;
}

function countsOf(modules: readonly TestModule[]): Counts {
  const count = (state: "passed" | "failed" | "skipped"): number =>
    modules.reduce((sum, module) => sum + [...module.children.allTests(state)].length, 0);
  return {
    passed: count("passed"),
    failed: count("failed") + modules.filter((module) => module.errors().length > 0).length,
    skipped: count("skipped"),
  };
}
