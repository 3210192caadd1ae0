import { CATALOG, type MetricSpec } from "../../core/catalog.ts";
import { parseExpression, type Selector } from "./promql.ts";

/** Labels that Prometheus adds to every scraped series. */
const TARGET_LABELS = ["instance", "job"];
const COUNTING = new Set(["rate", "increase", "irate"]);

interface Resolved {
  readonly spec: MetricSpec;
  readonly suffix: "" | "_bucket" | "_sum" | "_count";
}

function resolve(name: string): Resolved | undefined {
  for (const spec of CATALOG as readonly MetricSpec[]) {
    if (spec.kind !== "histogram" && spec.name === name) return { spec, suffix: "" };
    if (spec.kind === "histogram")
      for (const suffix of ["_bucket", "_sum", "_count"] as const) if (`${spec.name}${suffix}` === name) return { spec, suffix };
  }
  return undefined;
}

function labelsOf({ spec, suffix }: Resolved): readonly string[] {
  return [...spec.labels, ...TARGET_LABELS, ...(suffix === "_bucket" ? ["le"] : [])];
}

/**
 * What an expression says that the catalog does not know: metrics, labels, rates of gauges, counters read as gauges.
 * `recorded` holds the names of recording rules, which Prometheus makes and we do not export.
 */
export function catalogProblems(text: string, recorded: ReadonlySet<string>): string[] {
  const { selectors, grouping, errors } = parseExpression(text);
  if (errors.length > 0) return [`not PromQL at offset ${errors[0]}: ${text}`];
  if (selectors.length === 0) return [`names no metric: ${text}`];
  const own = selectors.filter((s) => s.metric === undefined || !recorded.has(s.metric));
  const problems = own.flatMap(selectorProblems);
  const known = new Set(own.flatMap((s) => (s.metric === undefined ? [] : (resolve(s.metric) ?? []))).flatMap(labelsOf));
  for (const label of grouping) if (own.length > 0 && !known.has(label)) problems.push(`no metric here has the label ${label}: ${text}`);
  return problems;
}

function selectorProblems(selector: Selector): string[] {
  if (selector.metric === undefined) return [`selects without a metric name: ${selector.text}`];
  const found = resolve(selector.metric);
  if (found === undefined) return [`${selector.metric} is not in the catalog`];
  const labels = labelsOf(found);
  const problems = selector.matchers.filter((m) => !labels.includes(m.label)).map((m) => `${selector.metric} has no label ${m.label}`);
  const counts = found.spec.kind !== "gauge";
  if (selector.over !== undefined && COUNTING.has(selector.over) && !counts)
    problems.push(`${selector.over}() of the gauge ${selector.metric}`);
  return problems;
}

/** Catalog names an expression reads, without histogram suffixes. */
export function metricsOf(text: string): string[] {
  return parseExpression(text).selectors.flatMap((s) => (s.metric === undefined ? [] : [resolve(s.metric)?.spec.name ?? s.metric]));
}
