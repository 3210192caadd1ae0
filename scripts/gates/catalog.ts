import { CATALOG, type MetricSpec } from "../../core/catalog.ts";
import { type Gate, verdict } from "./gate.ts";
import { type SourceFile, lineOf, readFiles } from "./files.ts";

/** Dashboards, rules, manifests and pages that name metrics; programs cannot (the catalog's type stops them). */
const NAMES_METRICS = /^(dashboards|alerts|docs|deploy|policies)\/.*\.(json|ya?ml|md|ts|txt)$|^[A-Z]+\.md$/;

export const catalog: Gate = {
  name: "catalog",
  run(root) {
    const files = readFiles(root, (path) => NAMES_METRICS.test(path));
    const problems = [...badEntries(CATALOG), ...files.flatMap((file) => unknownNames(file, CATALOG))];
    return Promise.resolve(verdict(CATALOG.length, `metrics, ${files.length} files that may name them`, problems));
  },
};

/** Prometheus naming conventions, and each name once. */
export function badEntries(specs: readonly MetricSpec[]): string[] {
  const seen = new Set<string>();
  const problems: string[] = [];
  for (const spec of specs) {
    if (seen.has(spec.name)) problems.push(`${spec.name}: in the catalog twice`);
    seen.add(spec.name);
    if (!/^fulcrum_[a-z0-9]+(_[a-z0-9]+)*$/.test(spec.name)) problems.push(`${spec.name}: not fulcrum_ in lower case`);
    if ((spec.kind === "counter") !== spec.name.endsWith("_total")) problems.push(`${spec.name}: _total is for counters and only for them`);
    if ((spec.kind === "histogram") !== (spec.buckets !== undefined))
      problems.push(`${spec.name}: buckets are for histograms and only for them`);
    if (!/^[A-Z0-9].*\.$/.test(spec.help)) problems.push(`${spec.name}: help is a sentence`);
    if (new Set(spec.labels).size !== spec.labels.length) problems.push(`${spec.name}: a label twice`);
  }
  return problems;
}

/** Names in a file that are not in the catalog. `fulcrum_gpu_*` stands for every metric with that prefix. */
export function unknownNames(file: SourceFile, specs: readonly MetricSpec[]): string[] {
  const known = new Set<string>();
  for (const spec of specs) {
    known.add(spec.name);
    if (spec.kind === "histogram") for (const suffix of ["bucket", "sum", "count"]) known.add(`${spec.name}_${suffix}`);
  }
  const problems: string[] = [];
  for (const match of file.text.matchAll(/(?<![A-Za-z0-9_:/.-])fulcrum_[a-z0-9_]+(\*)?/g)) {
    const [text, wildcard] = match;
    const prefix = text.slice(0, -1);
    const fits = wildcard === undefined ? known.has(text) : specs.some((spec) => spec.name.startsWith(prefix));
    if (!fits) problems.push(`${file.path}:${lineOf(file.text, match.index)}: ${text} is not in core/catalog.ts`);
  }
  return problems;
}
