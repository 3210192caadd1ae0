import { writeFile } from "node:fs/promises";
import { doubtful } from "../scaler/policy/doubtful.ts";
import { parsePolicies } from "../scaler/policy/load.ts";
import { formatProblem } from "../scaler/policy/problem.ts";
import { parseDuration } from "../core/duration.ts";
import type { Policy } from "../scaler/policy/schema.ts";
import { DEFAULT_CONTROLLERS, findRunners, type Runner } from "../sim/backtest/controllers.ts";
import { parseFault } from "../sim/backtest/faults.ts";
import { reportHtml } from "../sim/backtest/html.ts";
import { createReport, reportText, type BacktestReport } from "../sim/backtest/report.ts";
import type { BacktestSetup } from "../sim/backtest/setup.ts";
import { parseThresholds, underThreshold } from "../sim/backtest/thresholds.ts";
import type { LocalPrefill } from "../sim/plant/plant.types.ts";
import { defaultProfile, slowProfile } from "../sim/profiles/load.ts";
import { toPrior } from "../scaler/policy/profile.ts";
import { loadProfile } from "../sim/profiles/read.ts";
import { multiplyRate, windowTrace } from "../sim/traces/rate.ts";
import { readTrace } from "../sim/traces/read.ts";
import { leftOut, type Trace } from "../sim/traces/trace.types.ts";
import { badInput, CommandError, EXIT } from "./exit.ts";
import { readInput, whyUnreadable } from "./files.ts";
import { print } from "./output.ts";

/** Options of `fulcrum backtest`; times in seconds. */
export interface BacktestOptions {
  readonly policy: string;
  readonly trace: string;
  readonly rate: number;
  readonly from?: number;
  readonly to?: number;
  readonly profile?: string;
  readonly slow: number;
  readonly leadTime?: number;
  readonly localPrefill?: LocalPrefill;
  readonly controllers?: readonly string[];
  readonly faults: readonly string[];
  readonly reportDelay?: number;
  readonly reportLoss?: number;
  readonly ttftFrom?: "router" | "spans";
  readonly seed: number;
  readonly skipBad: boolean;
  readonly json: boolean;
  readonly html?: string;
  readonly failUnder: readonly string[];
}

/** Runs every controller over the trace and reports; the exit code is the answer to `--fail-under`. */
export async function runBacktest(options: BacktestOptions): Promise<number> {
  const runners = must(findRunners(options.controllers ?? DEFAULT_CONTROLLERS));
  const thresholds = must(parseThresholds(options.failUnder));
  const faults = options.faults.map((text) => must(parseFault(text, parseDuration)));
  const policy = await readPolicy(options.policy);
  const prior = toPrior(slowProfile(await readProfile(options.profile), options.slow));
  const trace = await prepareTrace(options);
  const { seed, leadTime, localPrefill, reportDelay, reportLoss, ttftFrom } = options;
  const setup: BacktestSetup = {
    ...{ policy, prior, trace, seed, faults },
    ...(leadTime === undefined ? {} : { leadTime }),
    ...(localPrefill === undefined ? {} : { localPrefill }),
    ...(reportDelay === undefined ? {} : { reportDelay }),
    ...(reportLoss === undefined ? {} : { reportLoss }),
    ...(ttftFrom === undefined ? {} : { ttftFrom }),
  };
  note([`${trace.name}: ${trace.requests.length} requests in ${trace.seconds.toFixed(0)} s`, ...leftOut(trace)].join("; "));
  const { kvCapacityTokens } = prior;
  const oversized = trace.requests.filter(({ inputTokens, outputTokens }) => inputTokens + outputTokens > kvCapacityTokens).length;
  if (oversized > 0)
    note(`${oversized} requests need more KV than one replica's ${kvCapacityTokens} tokens: no plan serves them, they count as missed`);
  const report = createReport(
    setup,
    runners.map((runner) => measure(runner, setup)),
  );
  await print(options.json ? JSON.stringify(report) : reportText(report));
  // After the answer: a file that cannot be written must not cost what took minutes to compute.
  if (options.html !== undefined) await writeHtml(options.html, report);
  const missed = underThreshold(report, thresholds);
  for (const line of missed) note(line);
  return missed.length > 0 ? EXIT.no : EXIT.good;
}

async function readPolicy(file: string): Promise<Policy> {
  const parsed = parsePolicies(await readInput(file), file);
  if (!parsed.ok) throw badInput(...parsed.error.map(formatProblem));
  const [policy, ...others] = parsed.value;
  if (policy === undefined) throw badInput(`${file}: holds no policy`);
  if (others.length > 0) note(`${file} holds ${others.length + 1} policies; the back-test uses the first, ${policy.metadata.name}`);
  if (policy.spec.mode !== "enforce") note(`policy ${policy.metadata.name} is in ${policy.spec.mode} mode; in the back-test it acts`);
  for (const doubt of doubtful(policy)) note(`warning: policy ${policy.metadata.name}: ${doubt}`);
  // Trace seconds carry no date: read as one, 0 would be a Thursday of 1970 and floors would bind by accident.
  if (policy.spec.schedule.length > 0) note(`policy ${policy.metadata.name} has a schedule; a trace has no dates, so it is left out`);
  return { ...policy, spec: { ...policy.spec, mode: "enforce", schedule: [] } };
}

async function readProfile(file: string | undefined) {
  return file === undefined ? defaultProfile : must(await loadProfile(file));
}

async function prepareTrace(options: BacktestOptions): Promise<Trace> {
  const { from, to, rate, seed } = options;
  if (from !== undefined && to !== undefined && to <= from) throw badInput(`--to ${to}s must lie after --from ${from}s`);
  const whole = must(await readTrace(options.trace, { skipBad: options.skipBad }));
  const trace = multiplyRate(windowTrace(whole, from, to), rate, seed);
  if (trace.requests.length > 0) return trace;
  const end = to === undefined ? `the end of the trace, ${whole.seconds.toFixed(1)}s` : `--to ${to}s`;
  throw badInput(`${options.trace}: no requests between --from ${from ?? 0}s and ${end}, at --rate ${rate}`);
}

/** CPU time is the clock's business, not the simulator's: it is measured here. */
function measure(runner: Runner, setup: BacktestSetup): { result: ReturnType<Runner["run"]>; cpuSeconds: number } {
  const began = process.cpuUsage();
  const result = runner.run(setup, { progress: createProgress(runner.name) });
  const { user, system } = process.cpuUsage(began);
  const cpuSeconds = (user + system) / 1e6;
  if (process.stderr.isTTY) process.stderr.write("\r\u001B[K");
  note(`${runner.name}: done in ${cpuSeconds.toFixed(1)} CPU seconds`);
  return { result, cpuSeconds };
}

/** A running percentage on a terminal; a log file gets only the start and the end of a run. */
function createProgress(name: string): (share: number) => void {
  let shown = -1;
  if (!process.stderr.isTTY) note(`${name}: running`);
  return (share) => {
    const percent = Math.floor(share * 100);
    if (percent === shown || !process.stderr.isTTY) return;
    shown = percent;
    process.stderr.write(`\r${name}: ${percent} %`);
  };
}

async function writeHtml(file: string, report: BacktestReport): Promise<void> {
  try {
    await writeFile(file, reportHtml(report));
  } catch (error) {
    throw new CommandError(EXIT.outside, `${file}: cannot write the report: ${whyUnreadable(error)}`);
  }
}

function must<T>(result: { ok: true; value: T } | { ok: false; error: string | readonly string[] }): T {
  if (result.ok) return result.value;
  throw badInput(...(typeof result.error === "string" ? [result.error] : result.error));
}

const note = (line: string): void => {
  process.stderr.write(`${line}\n`);
};
