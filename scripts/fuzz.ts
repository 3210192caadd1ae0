/**
 * `npm run fuzz -- --minutes N [--seed S] [--target TEXT]`: the fuzz targets of the tests, with new seeds until the time is over.
 * A failure prints the seed and the smallest input found, and ends the run with code 1.
 */
import { parseArgs } from "node:util";
import fc from "fast-check";
import { TARGETS } from "../test/fuzz/targets.ts";

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "1" }, seed: { type: "string" }, target: { type: "string", default: "" } },
});
const targets = TARGETS.filter(({ name }) => name.includes(values.target));
const minutes = Number(values.minutes);
if (targets.length === 0 || !(minutes > 0)) {
  console.error(`--minutes is a positive number, --target part of a name:\n${TARGETS.map(({ name }) => `  ${name}`).join("\n")}`);
  process.exit(2);
}

const RUNS = 500;
const end = Date.now() + minutes * 60_000;
const runs = new Map<string, number>();
let seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed);
console.log(`first seed ${seed}`);
while (Date.now() < end && process.exitCode === undefined) {
  for (const { name, property } of targets) {
    const result = await fc.check(property(), { seed, numRuns: RUNS });
    runs.set(name, (runs.get(name) ?? 0) + result.numRuns);
    if (!result.failed) continue;
    console.error(`FAILED ${name}\n${fc.defaultReportMessage(result)}`);
    process.exitCode = 1;
  }
  seed++;
}
for (const [name, count] of runs) console.log(`${String(count).padStart(9)} inputs  ${name}`);
