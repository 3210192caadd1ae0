/**
 * A day of traffic (550,000 requests): CPU seconds and peak memory of a back-test under a fixed plan and with Fulcrum in the loop,
 * and CPU time per request over 1 hour, 6 hours and 24 hours of steady traffic, which must not grow.
 *   npx tsx test/bench/day.ts [TRACE]
 * Without a trace the day is generated. Each figure is taken in a process of its own, reading or generating the trace included in
 * memory and told apart in time.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { fulcrum } from "../../scaler/decide/controller.ts";
import { runBacktestOnce, type RunResult } from "../../sim/backtest/run.ts";
import { warmStart } from "../../sim/backtest/setup.ts";
import { generateTrace, type Phase } from "../../sim/traces/generate.ts";
import { windowTrace } from "../../sim/traces/rate.ts";
import { readTrace } from "../../sim/traces/read.ts";
import type { Trace } from "../../sim/traces/trace.types.ts";
import { eightGpus } from "./load.ts";

const HOUR = 3600;
const KINDS = ["fixed plan", "in the loop"] as const;
type Kind = (typeof KINDS)[number];

const chat = (rate: number): Phase => ({
  seconds: HOUR,
  rate,
  ramp: HOUR,
  prompt: { median: 583, sigma: 0.7 },
  answer: { median: 110, sigma: 1.1 },
});

/** Chat lengths with a rate that swings between 2.5 and 10.3 requests/s once a day. */
function diurnal(): Trace {
  const phases = Array.from({ length: 24 }, (_, hour) => chat(6.4 - 3.9 * Math.cos((2 * Math.PI * (hour + 1)) / 24)));
  return generateTrace({ name: "generated day", start: chat(2.5), phases }, 1);
}

/** The same traffic all day: with a controller in the loop an hour costs the same whatever its rate, so lengths compare only at one. */
const steady = (): Trace => generateTrace({ name: "steady", start: chat(6.4), phases: Array.from({ length: 24 }, () => chat(6.4)) }, 1);

async function load(file: string | undefined): Promise<Trace> {
  if (file === undefined) return diurnal();
  const read = await readTrace(file);
  if (!read.ok) throw new Error(read.error.join("\n"));
  return read.value;
}

function cpu(work: () => void): number {
  const began = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1e6;
}

function backtest(trace: Trace, kind: Kind): RunResult {
  const setup = eightGpus(trace);
  if (kind === "fixed plan") return runBacktestOnce(setup, { prefill: 4, decode: 4 }, "fixed", undefined);
  return runBacktestOnce(setup, warmStart(setup), "fulcrum", fulcrum);
}

/** One whole day in this process. */
function whole(trace: Trace, loading: number, kind: Kind): void {
  let done = 0;
  const seconds = cpu(() => (done = backtest(trace, kind).completed));
  const peak = process.resourceUsage().maxRSS / 1024;
  const text = `${trace.name}, ${kind}: ${done} requests in ${seconds.toFixed(2)} s of CPU (${(done / seconds).toFixed(0)} a second)`;
  console.log(`${text}, after ${loading.toFixed(2)} s for the trace; peak ${peak.toFixed(0)} MiB`);
}

/** The median of some runs of each length, one after the other so that other work on the machine meets all. */
function lengths(trace: Trace, kind: Kind): void {
  const spans = [1, 6, 24].map((hours) => ({ hours, part: windowTrace(trace, 0, hours * HOUR), micros: [] as number[] }));
  backtest(windowTrace(trace, 0, 6 * HOUR), kind);
  for (let round = 0; round < 3; round += 1) {
    for (const { part, micros, hours } of spans) {
      const repeat = hours === 1 ? 8 : 1;
      const seconds = cpu(() => {
        for (let index = 0; index < repeat; index += 1) backtest(part, kind);
      });
      micros.push((seconds / repeat / part.requests.length) * 1e6);
    }
  }
  const said = spans.map(({ hours, micros }) => {
    const median = micros.toSorted((a, b) => a - b)[1] ?? Number.NaN;
    return `${hours} h ${median.toFixed(2)} µs`;
  });
  console.log(`steady traffic of 6.4 requests/s, ${kind}, CPU per request: ${said.join(", ")}`);
}

const [mode = "all", file] = process.argv[2]?.startsWith("--") === true ? process.argv.slice(2) : ["all", process.argv[2]];
if (mode === "all") {
  for (const part of ["--fixed", "--loop", "--lengths"]) {
    const self = fileURLToPath(import.meta.url);
    const child = spawnSync(process.execPath, [...process.execArgv, self, part, ...(file === undefined ? [] : [file])], {
      stdio: "inherit",
    });
    if (child.status !== 0) process.exit(child.status ?? 1);
  }
} else {
  const began = process.cpuUsage();
  const trace = mode === "--lengths" ? steady() : await load(file);
  const { user, system } = process.cpuUsage(began);
  if (mode === "--lengths") for (const kind of KINDS) lengths(trace, kind);
  else whole(trace, (user + system) / 1e6, mode === "--fixed" ? "fixed plan" : "in the loop");
}
