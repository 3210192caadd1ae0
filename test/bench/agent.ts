/**
 * What the agent costs: page reading, OTLP decoding, and the whole process on a busy node. Figures and their goals; docs/performance.md
 * holds those of a named machine.
 * Run: npm run bench:agent [-- --minutes N] [-- --forward URL] [-- --plain]   (a soak is --minutes 30; --plain: without the Node flags)
 * Exits 1 when a goal is missed.
 */
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import type { Trend } from "./agent-figures.ts";
import { measureAgent, NODE_FLAGS } from "./agent-process.ts";
import { measureExposition } from "./exposition.ts";
import { measureOtlp } from "./otlp.ts";

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "1" }, forward: { type: "string" }, plain: { type: "boolean", default: false } },
});
let missed = 0;

function line(name: string, value: number, unit: string, goal?: { readonly atLeast?: number; readonly atMost?: number }): void {
  const good = value >= (goal?.atLeast ?? -Infinity) && value <= (goal?.atMost ?? Infinity);
  if (!good) missed++;
  const said = goal?.atLeast === undefined ? (goal?.atMost === undefined ? "" : `at most ${goal.atMost}`) : `at least ${goal.atLeast}`;
  const figure = value >= 1000 ? value.toFixed(0) : value.toFixed(2);
  console.log(`${name.padEnd(36)} ${figure.padStart(9)} ${unit.padEnd(22)} ${said}${good ? "" : "  MISSED"}`);
}

function trend(name: string, { max, early, late, perHour }: Trend): void {
  console.log(`${name.padEnd(36)} ${[max, early, late, perHour].map((v) => v.toFixed(1).padStart(11)).join("")}`);
}

console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? "unknown CPU"}\n`);
const exposition = measureExposition(40);
line("page of 20 ranks", exposition.pageMegabytes, "MB");
line("reading it again (series cache)", exposition.steadyMBps, "MB per CPU second", { atLeast: 100 });
line("reading it the first time", exposition.firstReadMBps, "MB per CPU second");
line("parsing it whole", exposition.fullParseMBps, "MB per CPU second");
line("parse-prometheus-text-format", exposition.otherParserMBps, "MB per CPU second");
line("again ÷ parse-prometheus-text-format", exposition.ratio, "times", { atLeast: 4 });

const otlp = await measureOtlp(20);
line("OTLP decoding", otlp.spansPerCpuSecond, "spans per CPU second", { atLeast: 100_000 });
line("", otlp.megabytesPerCpuSecond, "MB per CPU second");
line("OTLP counting, outside the sample", otlp.sampledOutPerCpuSecond, "spans per CPU second");

const seconds = Math.max(5, Number(values.minutes) * 60);
const flags = values.plain ? [] : NODE_FLAGS;
console.log(`\none agent, 8 engines, 8 GPUs, 200 spans/s, 1 Hz, ${seconds} s, node ${flags.join(" ")}`);
const agent = await measureAgent(seconds, flags, values.forward === undefined ? [] : ["--downstream-otlp", values.forward]);
line("CPU, warm", agent.cpuShare * 100, "% of a core", { atMost: 2 });
line("… of it the NVML process", agent.cpuShareChild * 100, "% of a core");
line("… from the tenth second on", agent.cpuShareEarly * 100, "% of a core");
line("… worst ten seconds, warm", agent.cpuShareWorst * 100, "% of a core");
line("RSS, highest", agent.rss.max, "MiB", { atMost: 110 });
line("RSS, at the end", agent.rss.late, "MiB", { atMost: agent.rss.early + 5 });
line("open files and sockets, growth", agent.handles.late - agent.handles.early, "", { atMost: 2 });
line("series of its own page, growth", agent.series.last - agent.series.first, `of ${agent.series.last}`, { atMost: 0 });
console.log(`\n${"memory, MiB".padEnd(36)} ${["highest", "warm", "at the end", "an hour"].map((w) => w.padStart(11)).join("")}`);
trend("both processes", agent.rss);
trend("the agent's process, resident", agent.memory.agent);
trend("the NVML process's own", agent.memory.nvml);
trend("the agent's heap as taken by V8", agent.memory.heapTotal);
trend("… of it in use", agent.memory.heapUsed);
trend("outside the heap, known to V8", agent.memory.external);
trend("… of it array buffers", agent.memory.arrayBuffers);
const { counts } = agent;
console.log(
  `${counts.reports} reports of ${counts.enginesUp} engines and ${counts.gpus} GPUs (${agent.gpus}); spans: ${counts.spansSent} sent, ${counts.spansReported} reported, ${counts.spansRefused} refused`,
);
for (const [why, { batches, lastAt }] of counts.refusals)
  console.log(`refused: ${batches} batches (${why}), last at ${lastAt.toFixed(0)} s`);
if (counts.enginesUp !== 8 || counts.gpus !== 8 || counts.spansRefused > 0 || counts.spansReported !== counts.spansSent) missed++;
process.exitCode = missed > 0 ? 1 : 0;
