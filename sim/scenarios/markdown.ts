import type { RunResult } from "../backtest/run.ts";
import { totalGpus } from "../backtest/setup.ts";
import { judge, type Outcome, type Verdict } from "./board.ts";

export interface BoardFacts {
  readonly command: string;
  readonly seed: number;
  /** Where traffic came from, in words. */
  readonly data: string;
  /** Total run time in words; left out where the page must not depend on the machine. */
  readonly took?: string;
}

/** docs/scoreboard.md. Everything in it follows from the outcomes, so that losses stand in it like wins. */
export function scoreboard(outcomes: readonly Outcome[], facts: BoardFacts): string {
  const verdicts = outcomes.flatMap((outcome) => {
    const verdict = "runs" in outcome ? judge(outcome.name, outcome.runs, outcome.setup.trace.seconds) : undefined;
    return verdict === undefined ? [] : [verdict];
  });
  const parts = [
    "# Scoreboard",
    "",
    `Written by \`${facts.command}\`, seed ${facts.seed}; do not edit. ${facts.data}${facts.took === undefined ? "" : ` ${facts.took}`}`,
    "",
    "**both**: share of all requests that met TTFT and ITL objective, unfinished ones being misses. **GPU-hours** count every replica from",
    "the decision to start it until it is gone. **rev/h**: changes of a pool's direction within 120 s, per hour. `static` is the best fixed split and",
    "`oracle` the cheapest schedule, both in hindsight; every other controller sees only the past. Sources and adaptations of the baselines",
    "stand in [docs/backtest.md](backtest.md).",
    "",
    ...summary(verdicts, outcomes),
  ];
  for (const outcome of outcomes) parts.push("", ...section(outcome));
  return `${parts.join("\n")}\n`;
}

function summary(verdicts: readonly Verdict[], outcomes: readonly Outcome[]): string[] {
  const count = (test: (verdict: Verdict) => boolean): string => `${verdicts.filter(test).length} of ${verdicts.length}`;
  const fixed = verdicts.filter(({ asGoodAsStatic }) => asGoodAsStatic !== undefined);
  const skipped = outcomes.filter((outcome) => "skipped" in outcome).length;
  return [
    "## Fulcrum in one table",
    "",
    `- No baseline but \`oracle\` dominates Fulcrum (better \`both\` and fewer GPU-hours): ${count(({ dominatedBy }) => dominatedBy.length === 0)} scenarios.`,
    `- Fulcrum has at least the \`both\` of every adaptive baseline at fewer GPU-hours than each (one that starves its users is cheaper than any that serves them): ${count(({ notBeaten }) => notBeaten.length === 0)} scenarios.`,
    `- No adaptive baseline reaches Fulcrum's \`both\` for as few GPU-hours: ${count(({ matchedBy }) => matchedBy.length === 0)} scenarios.`,
    `- Where \`static\` reaches 0.99 of \`both\`, Fulcrum does at no more GPU-hours: ${fixed.filter(({ asGoodAsStatic }) => asGoodAsStatic).length} of ${fixed.length} scenarios.`,
    `- At most 2 reversals per hour: ${count(({ reversalsPerHour }) => reversalsPerHour <= 2)} scenarios.`,
    ...(skipped > 0 ? [`- Not run: ${skipped} scenarios, the reason stands with each.`] : []),
    "",
    "| scenario | dominated by | adaptive, as good for less | adaptive, not beaten on both | as good as static | rev/h | GPU-hours ÷ oracle |",
    "| --- | --- | --- | --- | --- | --: | --: |",
    ...verdicts.map(verdictRow),
  ];
}

function verdictRow(v: Verdict): string {
  const list = (names: readonly string[]): string => (names.length > 0 ? names.join(", ") : "none");
  const fixed = v.asGoodAsStatic === undefined ? "static misses 0.99" : v.asGoodAsStatic ? "yes" : "**no**";
  const cells = [
    v.name,
    list(v.dominatedBy),
    list(v.matchedBy),
    list(v.notBeaten),
    fixed,
    v.reversalsPerHour.toFixed(1),
    v.overOracle.toFixed(2),
  ];
  return `| ${cells.join(" | ")} |`;
}

function section(outcome: Outcome): string[] {
  const head = [`## ${outcome.name}`, "", outcome.title];
  if ("skipped" in outcome) return [...head, "", `Not run: ${outcome.skipped}.`];
  const { trace, policy, faults } = outcome.setup;
  const { objectives, pools } = policy.spec;
  const aims = (["ttft", "itl"] as const).flatMap((name) => {
    const objective = objectives[name];
    return objective === undefined
      ? []
      : [`${name.toUpperCase()} ${Math.round(objective.target * 1000)} ms for ${objective.quantile * 100} %`];
  });
  const facts = [
    `${trace.name}: ${trace.requests.length} requests in ${trace.seconds.toFixed(0)} s`,
    aims.join(", "),
    `${totalGpus(policy.spec)} GPUs`,
    `lead time ${pools.prefill.leadTime} s`,
    ...(faults.length > 0 ? [`faults: ${faults.map(({ kind }) => kind).join(", ")}`] : []),
  ];
  return [
    ...head,
    "",
    `${facts.join(" · ")}.`,
    "",
    "| controller | TTFT met % | ITL met % | both % | TTFT p95 ms | p99 ms | ITL p95 ms | GPU-hours | up/down/conv/rev | holds | unfinished |",
    "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |",
    ...outcome.runs.map((run) => runRow(run)),
  ];
}

function runRow(run: RunResult): string {
  const percent = (share: number): string => (share * 100).toFixed(2);
  const ms = (seconds: number | undefined): string => (seconds === undefined ? "—" : (seconds * 1000).toFixed(seconds < 0.1 ? 1 : 0));
  const { attainment, ttft, itl, actions: a } = run;
  const cells = [
    run.controller === "fulcrum" ? "**fulcrum**" : run.controller,
    percent(attainment.ttft),
    percent(attainment.itl),
    percent(attainment.both),
    ms(ttft?.p95),
    ms(ttft?.p99),
    ms(itl?.p95),
    run.gpuHours.toFixed(2),
    `${a.up}/${a.down}/${a.conversions}/${a.reversals}`,
    String(run.holds),
    String(run.unfinished),
  ];
  return `| ${cells.join(" | ")} |`;
}
