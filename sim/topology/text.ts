import type { Comparison, Measured } from "./compare.ts";

const ms = (seconds: number | undefined): string =>
  seconds === undefined || !Number.isFinite(seconds) ? "—" : (seconds * 1000).toFixed(seconds < 0.1 ? 1 : 0);
const percent = (share: number): string => (share * 100).toFixed(0);
const served = (row: Measured, cell: string): string => (row.requestsPerSecond > 0 ? cell : "—");

const COLUMNS: readonly (readonly [string, (row: Measured) => string])[] = [
  ["topology", (row) => row.name],
  ["req/s", (row) => row.requestsPerSecond.toFixed(2)],
  ["req/s/GPU", (row) => row.requestsPerSecondPerGpu.toFixed(3)],
  ["limited by", (row) => row.limitedBy],
  ["TTFT p95 ms", (row) => served(row, ms(row.ttftP95))],
  ["ITL p95 ms", (row) => served(row, ms(row.itlP95))],
  ["prefill busy %", (row) => served(row, percent(row.prefillBusy))],
  ["decode batch", (row) => served(row, row.batch.toFixed(1))],
];

/** A table for people, best first, and what follows from it. */
export function comparisonText(comparison: Comparison): string {
  const { objectives, candidates } = comparison;
  const sorted = candidates.toSorted((a, b) => b.requestsPerSecond - a.requestsPerSecond);
  const rows = [COLUMNS.map(([title]) => title), ...sorted.map((row) => COLUMNS.map(([, cell]) => cell(row)))];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const table = rows.map((row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join("  "),
  );
  const asked = (["ttft", "itl"] as const).flatMap((name) =>
    objectives[name] === undefined ? [] : [`${name.toUpperCase()} within ${ms(objectives[name])} ms`],
  );
  return [
    `${comparison.load}; ${comparison.gpus} GPUs, seed ${comparison.seed}`,
    `goodput: highest rate at which ${percent(objectives.attain)} % of requests have ${asked.join(" and ")}; mixed steps: ${comparison.mixedStep}`,
    "",
    ...table,
    "",
    comparison.verdict,
  ].join("\n");
}
