import type { ErrorSummary, Validation } from "./errors.ts";

/** Markdown of what `validate` found, one line per profile (or group of profiles) and stage. */
export function validationTable(rows: readonly { readonly name: string; readonly found: Validation }[]): string {
  const head = ["profile", "stage", "points", "bias", "median", "p90", "max", "held out: median", "p90", "max"];
  const lines = rows.flatMap(({ name, found }) =>
    (["prefill", "decode"] as const).map((stage) => [name, stage, ...figures(found[stage]), ...figures(found.heldOut[stage]).slice(2)]),
  );
  const widths = head.map((title, column) => Math.max(title.length, ...lines.map((line) => line[column]?.length ?? 0)));
  const padded = (cells: readonly string[]): string => `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [padded(head), rule, ...lines.map(padded)].join("\n");
}

function figures({ points, bias, median, p90, max, worst }: ErrorSummary): string[] {
  return [`${points}`, percent(bias, true), percent(median), percent(p90), `${percent(max)} (${worst})`];
}

function percent(share: number, signed = false): string {
  const text = `${Math.abs(share * 100).toFixed(1)} %`;
  if (!signed) return text;
  return share < 0 ? `−${text}` : `+${text}`;
}
