import { err, ok, type Result } from "../../core/result.ts";
import type { BacktestReport, ReportedRun } from "./report.ts";

/** Figures `--fail-under` knows; all are shares, higher is better. */
const FIGURES: Readonly<Record<string, (run: ReportedRun) => number>> = {
  attainment: (run) => run.attainment.both,
  "attainment.both": (run) => run.attainment.both,
  "attainment.ttft": (run) => run.attainment.ttft,
  "attainment.itl": (run) => run.attainment.itl,
};

export interface Threshold {
  readonly figure: string;
  readonly least: number;
}

/** `attainment=0.99` and the like. */
export function parseThresholds(texts: readonly string[]): Result<Threshold[], string> {
  const thresholds: Threshold[] = [];
  for (const text of texts) {
    const [figure = "", value = ""] = text.split("=");
    const least = Number(value);
    if (FIGURES[figure] === undefined || value === "" || !(least >= 0 && least <= 1)) {
      return err(
        `--fail-under ${text}: write one of ${Object.keys(FIGURES).join(", ")} with a share from 0 to 1, for example attainment=0.99`,
      );
    }
    thresholds.push({ figure, least });
  }
  return ok(thresholds);
}

/** One line per figure that the judged run (fulcrum, or the first) does not reach. */
export function underThreshold(report: BacktestReport, thresholds: readonly Threshold[]): string[] {
  const run = report.runs.find(({ controller }) => controller === "fulcrum") ?? report.runs[0];
  if (run === undefined) return [];
  return thresholds.flatMap(({ figure, least }) => {
    const reached = FIGURES[figure]?.(run) ?? 0;
    return reached >= least ? [] : [`${run.controller}: ${figure} ${reached.toFixed(4)} is under ${least}`];
  });
}
