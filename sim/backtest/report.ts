import type { Summary } from "../../core/summary.ts";
import type { RunResult } from "./run.ts";
import type { BacktestSetup } from "./setup.ts";
import { leftOut } from "../traces/trace.types.ts";

/** The JSON of formats §4. */
export interface BacktestReport {
  readonly policy: string;
  readonly profile: string;
  readonly seed: number;
  readonly trace: {
    readonly name: string;
    readonly requests: number;
    readonly seconds: number;
    readonly inputTokens: number;
    readonly outputTokens: number;
    readonly skipped: number;
    readonly failedAtSource: number;
  };
  readonly objectives: BacktestSetup["policy"]["spec"]["objectives"];
  readonly runs: readonly ReportedRun[];
}

export interface ReportedRun extends Omit<RunResult, "ttft" | "itl" | "aborted"> {
  readonly ttft: ReportedSummary | null;
  readonly itl: ReportedSummary | null;
  readonly cpuSeconds: number;
  readonly requestsPerCpuSecond: number;
}

type ReportedSummary = Pick<Summary, "mean" | "p50" | "p90" | "p95" | "p99">;

export function createReport(setup: BacktestSetup, runs: readonly { result: RunResult; cpuSeconds: number }[]): BacktestReport {
  const { trace, policy, prior, seed } = setup;
  return {
    policy: policy.metadata.name,
    profile: prior.name,
    seed,
    trace: {
      name: trace.name,
      requests: trace.requests.length,
      seconds: trace.seconds,
      inputTokens: trace.inputTokens,
      outputTokens: trace.outputTokens,
      skipped: trace.skipped,
      failedAtSource: trace.failedAtSource,
    },
    objectives: policy.spec.objectives,
    runs: runs.map(({ result, cpuSeconds }) => reportRun(result, cpuSeconds, trace.requests.length)),
  };
}

function reportRun(result: RunResult, cpuSeconds: number, requests: number): ReportedRun {
  const { aborted: _aborted, ttft, itl, ...rest } = result;
  return {
    ...rest,
    ttft: pick(ttft),
    itl: pick(itl),
    cpuSeconds,
    requestsPerCpuSecond: cpuSeconds > 0 ? requests / cpuSeconds : 0,
  };
}

function pick(summary: Summary | undefined): ReportedSummary | null {
  if (summary === undefined) return null;
  const { mean, p50, p90, p95, p99 } = summary;
  return { mean, p50, p90, p95, p99 };
}

const ms = (seconds: number | undefined): string => (seconds === undefined ? "—" : (seconds * 1000).toFixed(seconds < 0.1 ? 1 : 0));
const percent = (share: number): string => (share * 100).toFixed(2);

const COLUMNS: readonly (readonly [string, (run: ReportedRun) => string])[] = [
  ["controller", (run) => run.controller],
  ["TTFT met %", (run) => percent(run.attainment.ttft)],
  ["ITL met %", (run) => percent(run.attainment.itl)],
  ["both %", (run) => percent(run.attainment.both)],
  ["TTFT p50 ms", (run) => ms(run.ttft?.p50)],
  ["p95 ms", (run) => ms(run.ttft?.p95)],
  ["ITL p50 ms", (run) => ms(run.itl?.p50)],
  ["p95 ms", (run) => ms(run.itl?.p95)],
  ["GPU-hours", (run) => run.gpuHours.toFixed(2)],
  ["start P/D", (run) => `${run.initial.prefill}/${run.initial.decode}`],
  ["up/down/conv/rev", ({ actions: a }) => `${a.up}/${a.down}/${a.conversions}/${a.reversals}`],
  ["unfinished", (run) => String(run.unfinished)],
  ["CPU s", (run) => run.cpuSeconds.toFixed(2)],
];

/** A table for people: one line per controller, every figure with its unit in the header. */
export function reportText(report: BacktestReport): string {
  const { trace } = report;
  const head = `${trace.name}: ${trace.requests} requests in ${trace.seconds.toFixed(0)} s, ${trace.inputTokens} prompt and ${trace.outputTokens} output tokens`;
  const objectives = (["ttft", "itl"] as const).flatMap((name) => {
    const objective = report.objectives[name];
    return objective === undefined ? [] : [`${name.toUpperCase()} ${ms(objective.target)} ms for ${objective.quantile * 100} %`];
  });
  const rows = [COLUMNS.map(([title]) => title), ...report.runs.map((run) => COLUMNS.map(([, cell]) => cell(run)))];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const table = rows.map((row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join("  "),
  );
  const context = `policy ${report.policy} (${objectives.join(", ")}), profile ${report.profile}, seed ${report.seed}`;
  return [head, ...leftOut(trace), context, "", ...table].join("\n");
}
