/**
 * `npm run check`: every gate, two at a time, a line each: name, verdict, how much it looked at, how long it took.
 * Arguments pick gates by name.
 */
import type { Gate, GateResult } from "./gates/gate.ts";
import { HOME } from "./gates/command.ts";
import { boundaries } from "./gates/boundaries.ts";
import { catalog } from "./gates/catalog.ts";
import { drift } from "./gates/drift.ts";
import { houseStyle } from "./gates/house-style.ts";
import { lockfile } from "./gates/lockfile.ts";
import { purity } from "./gates/purity.ts";
import { size } from "./gates/size.ts";
import { format, lint, types, unused } from "./gates/tools.ts";

/** Longest first, so that the last one does not run alone. */
const GATES: readonly Gate[] = [types, boundaries, unused, lint, drift, format, purity, houseStyle, size, catalog, lockfile];
const AT_ONCE = 2;

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !GATES.some((gate) => gate.name === name));
if (unknown.length > 0) {
  console.error(`no gate ${unknown.join(", ")}; there are ${GATES.map((gate) => gate.name).join(", ")}`);
  process.exit(2);
}

const queue = GATES.filter((gate) => wanted.length === 0 || wanted.includes(gate.name));
const total = queue.length;
let failed = 0;
await Promise.all(Array.from({ length: AT_ONCE }, worker));
console.log(`gates: ${total - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

async function worker(): Promise<void> {
  for (let gate = queue.shift(); gate !== undefined; gate = queue.shift()) {
    const started = process.hrtime.bigint();
    const result = await gate.run(HOME).catch(crashed);
    const seconds = Number(process.hrtime.bigint() - started) / 1e9;
    if (!result.ok) failed++;
    console.log(`${gate.name.padEnd(11)} ${result.ok ? "ok  " : "FAIL"} ${result.looked} (${seconds.toFixed(1)} s)`);
    if (!result.ok) console.log(result.problems.replace(/^/gm, "    "));
  }
}

function crashed(error: unknown): GateResult {
  return { ok: false, looked: "nothing", problems: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
