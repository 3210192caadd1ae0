import { missingWords, oldWords } from "../../core/engines/drift-words.ts";
import type { MissingSignal } from "../../core/engines/drift.ts";
import { createEnginePage } from "../../core/engines/page.ts";
import type { EngineTarget } from "../../core/targets.ts";
import { type Finding, bad, good, warning } from "./finding.ts";
import { roleFindings } from "./role.ts";
import { get } from "./web.ts";

/** One engine's page: whether it answers, how much of it is understood, and a line per mend for what it lacks. */
export async function engine(target: EngineTarget): Promise<readonly Finding[]> {
  const what = `engine ${target.pod} ${target.url}`;
  const answer = await get(target.url);
  if ("problem" in answer) return [bad(what, answer.problem, mendOf(answer.problem, target), "engine-unreachable")];
  // trtllm-serve's /metrics: iteration statistics, which each read takes away from whoever else reads them.
  if (/^\s*[[{]/.test(answer.text))
    return [bad(what, "answers JSON, not a metrics page", JSON_MEND[target.engine] ?? "check the address", "engine-json-page")];
  const page = createEnginePage(target.engine, target.role);
  const sample = page.read(answer.text);
  const understood = Object.keys(sample.counters).length + Object.keys(sample.gauges).length + Object.keys(sample.distributions).length;
  if (understood === 0)
    return [
      bad(what, `${sample.samples} samples, none that ${target.engine} has`, "check `engine` in the targets file", "engine-not-understood"),
    ];
  const { missing, old } = page.drift();
  const names = old.length > 0 ? `, by old names ${oldWords(old)}` : "";
  return [
    good(what, `${target.engine} ${target.role} page, ${sample.samples} samples, ${understood} signals used${names}`),
    ...roleFindings(what, target, answer.text),
    ...byMend(missing).map(([mend, signals]) => warning(what, `the page lacks ${missingWords(signals)}`, mend, "engine-signals-missing")),
  ];
}

const JSON_MEND: Partial<Record<EngineTarget["engine"], string>> = {
  trtllm: "set the url's path to /prometheus/metrics, and return_perf_metrics: true in the engine's options",
};

const NOT_FOUND_MEND: Partial<Record<EngineTarget["engine"], string>> = {
  sglang: "start SGLang with --enable-metrics",
  trtllm: "set return_perf_metrics: true in the engine's options; the path is /prometheus/metrics",
};

const mendOf = (problem: string, { engine: kind }: EngineTarget): string =>
  (problem.includes("404") ? NOT_FOUND_MEND[kind] : undefined) ?? "check the address and that the engine runs";

function byMend(missing: readonly MissingSignal[]): readonly (readonly [string, readonly MissingSignal[]])[] {
  const groups = new Map<string, MissingSignal[]>();
  for (const signal of missing) groups.set(signal.mend, [...(groups.get(signal.mend) ?? []), signal]);
  return [...groups];
}
