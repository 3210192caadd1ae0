/**
 * Compares the NVML reader with the truth on a machine that has a GPU. Needs Node and koffi, and python3 with PyTorch for the loads:
 *
 *   node build.mjs && node dist/gpu-truth.mjs                       the reader's values, once a second
 *   node dist/gpu-truth.mjs --load                                  known loads: truth beside the reader, and the cost per tick
 *   node dist/gpu-truth.mjs --paired                                what polling does to small GPU steps
 *
 * Options: --seconds N (10), --rounds N (8) and --slot SECONDS (4) for --paired, --modes h2d,matmul for --load, --library PATH. Output: JSON lines.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { NVML_LIBRARY } from "../agent/gpu/driver.ts";
import { findProgram } from "../agent/gpu/program.ts";
import { MODES, compare } from "./gpu-truth/compare.ts";
import { paired } from "./gpu-truth/paired.ts";
import { torchMissing } from "./gpu-truth/python.ts";
import { openReader } from "./gpu-truth/reader.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" },
    load: { type: "boolean", default: false },
    modes: { type: "string", default: MODES.join(",") },
    paired: { type: "boolean", default: false },
    rounds: { type: "string", default: "8" },
    slot: { type: "string", default: "4" },
    library: { type: "string", default: NVML_LIBRARY },
  },
});
const print = (value: unknown): void => console.log(JSON.stringify(value));
const seconds = Number(values.seconds);

if (values.load || values.paired) {
  const missing = torchMissing();
  if (missing !== undefined) {
    console.error(`no load: ${missing}`);
    process.exit(3);
  }
}
if (values.paired) {
  const program = findProgram("nvml-process", undefined);
  await paired({ program, library: values.library, rounds: Number(values.rounds), slotSeconds: Number(values.slot), print });
} else {
  const reader = await openReader(values.library);
  print({ kind: "driver", driver: reader.driver, node: process.version });
  if (values.load) {
    const wanted = values.modes.split(",");
    for (const mode of MODES.filter((m) => wanted.includes(m))) {
      const comparison = await compare(reader, mode, seconds);
      print(comparison === undefined ? { kind: "skipped", mode, why: "needs two GPUs" } : { kind: "comparison", ...comparison });
    }
  } else
    for (let i = 0; i < seconds; i++) {
      const { reading, wallMicros, cpuMicros } = reader.tick();
      print({ kind: "tick", wallMicros, cpuMicros, rssBytes: process.memoryUsage.rss(), ...reading });
      await sleep(1000);
    }
}
process.exit(0);
