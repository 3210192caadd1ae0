/** Writes docs/metrics.md from the catalog; with --check says whether the page is current. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CATALOG, type Exporter, type MetricSpec } from "../core/catalog.ts";

const page = fileURLToPath(new URL("../docs/metrics.md", import.meta.url));
const TITLES: Readonly<Record<Exporter, string>> = {
  agent: "Agent",
  scaler: "Scaler",
  fleet: "Simulated fleet",
};

const text = render(CATALOG);
if (process.argv.includes("--check")) {
  const committed = readFileSync(page, "utf8");
  if (committed !== text) {
    console.error("docs/metrics.md is not what core/catalog.ts says: run `npm run docs`");
    process.exitCode = 1;
  }
} else {
  writeFileSync(page, text);
}

function render(specs: readonly MetricSpec[]): string {
  const parts = [
    "# Metrics",
    "",
    "Every metric Fulcrum exports, generated from `core/catalog.ts` by `npm run docs`. Durations are seconds, sizes bytes,",
    "ratios 0 to 1. Metrics marked *self* are Fulcrum watching itself through the OpenTelemetry SDK; they stand on the same page.",
  ];
  for (const exporter of ["agent", "scaler", "fleet"] as const) {
    const rows = specs.filter((spec) => spec.by.includes(exporter)).map(row);
    parts.push("", `## ${TITLES[exporter]}`, "", "| metric | kind | labels | what it says |", "| --- | --- | --- | --- |", ...rows);
  }
  return `${parts.join("\n")}\n`;
}

function row(spec: MetricSpec): string {
  const labels = spec.labels.map((label) => `\`${label}\``).join(", ");
  return `| \`${spec.name}\` | ${spec.kind}${spec.self === true ? " (*self*)" : ""} | ${labels} | ${spec.help.replace(/\|/g, "\\|")} |`;
}
