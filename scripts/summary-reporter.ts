import type { Reporter, TestModule } from "vitest/node";

/** Names at the end of a run what was skipped, so that a missing program never hides a test. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const skipped = new Map<string, number>();
    for (const module of modules) {
      for (const test of module.children.allTests("skipped")) {
        const why = /\[needs ([^\]]+)\]/.exec(test.fullName)?.[1];
        const line = why === undefined ? `${module.relativeModuleId}: ${test.fullName}` : `${module.relativeModuleId}: needs ${why}`;
        skipped.set(line, (skipped.get(line) ?? 0) + 1);
      }
    }
    if (skipped.size === 0) return;
    process.stdout.write("\nSkipped tests:\n");
    for (const [line, count] of skipped) process.stdout.write(`  ${String(count).padStart(3)}  ${line}\n`);
  }
}
