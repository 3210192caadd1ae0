import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRandom } from "../../sim/random.ts";

/** A seeded Poisson workload as a plain CSV trace (arrival seconds, input tokens, output tokens). */
export async function writeWorkload(w: {
  readonly seconds: number;
  readonly rate: number;
  readonly isl: number;
  readonly osl: number;
  readonly seed: number;
}): Promise<string> {
  const random = createRandom(w.seed);
  const rows = ["t_s,isl,osl"];
  const exponential = (mean: number): number => -Math.log(1 - random()) * mean;
  for (let t = exponential(1 / w.rate); t < w.seconds; t += exponential(1 / w.rate)) {
    const isl = Math.max(16, Math.round(w.isl * (0.25 + 1.5 * random())));
    const osl = Math.max(2, Math.round(w.osl * (0.25 + 1.5 * random())));
    rows.push(`${t.toFixed(3)},${isl},${osl}`);
  }
  const file = join(await mkdtemp(join(tmpdir(), "fulcrum-trace-")), "workload.csv");
  await writeFile(file, `${rows.join("\n")}\n`);
  return file;
}
