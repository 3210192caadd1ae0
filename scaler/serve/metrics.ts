import type { Gauge } from "prom-client";
import type { Summary } from "../../core/summary.ts";
import { allocatedGpus } from "../loop/frame.ts";
import { desiredReplicas, POOL_ROLES, poolNameOf, type PoolRole, type TickView } from "../loop/tick-view.ts";
import type { FleetView } from "../intake/fleet-view.ts";
import type { LinkView } from "../intake/link-matrix.ts";
import type { LinkTallies } from "../intake/link-tally.ts";
import type { Stitched } from "../intake/stitch.ts";
import { TTFT_SOURCES } from "../intake/ttft-source.ts";
import { REFUSALS, type Refusal } from "../intake/server.ts";
import { STANDINGS, type Standing } from "../kube/lease.ts";
import type { Policy } from "../policy/schema.ts";
import { EVIDENCE_HOLDS, holdReason } from "./hold-reason.ts";
import { createLinkMetrics } from "./metrics-links.ts";
import { createInstruments } from "./metrics-registry.ts";

/** The scaler's own page of signals: what it sees, wants and did. A value that is absent has no series, never a zero. */
export interface ScalerMetrics {
  page(): Promise<string>;
  tick(view: TickView): void;
  /** Series of a policy that is gone. Its counters stay: a counter that vanishes and returns looks like a reset. */
  dropPolicy(policy: Policy): void;
  reportFolded(node: string): void;
  refused(code: Refusal): void;
  standing(standing: Standing): void;
  stateLeft(outcome: string, bytes: number | undefined): void;
  journalCopied(outcome: string): void;
  stitched(count: number): void;
  /** Where the time to first token of a stitched request went. */
  explained(policy: Policy, request: Stitched): void;
  /** A window of the policy's KV transfers, and the last minute. */
  links(policy: Policy, closed: LinkTallies, view: LinkView): void;
  kedaAnswered(method: string, code: string): void;
  /** A write that was asked of the API. */
  wrote(action: string, outcome: string): void;
  /** Somebody presented a token that may not read. */
  readRefused(): void;
  policyFile(file: string, valid: boolean | undefined): void;
  statusWritten(outcome: string): void;
  eventTold(outcome: string): void;
  /** Read when the page is asked for. */
  onCollect(facts: () => { readonly agents: number; readonly fleet: FleetView; readonly now: number }): void;
}

type Labels = Readonly<Record<string, string>>;
const QUANTILES = [
  { field: "p50", q: 0.5 },
  { field: "p90", q: 0.9 },
  { field: "p95", q: 0.95 },
  { field: "p99", q: 0.99 },
] as const;
/** Modes that an operator can set. */
const OVERRIDING = ["paused", "observe"] as const;
/** Where a stitched request's time to first token went. */
const TTFT_PARTS = [
  { part: "queue", field: "queue" },
  { part: "prefill", field: "prefill" },
  { part: "transfer", field: "transfer" },
  { part: "first_decode", field: "firstDecode" },
] as const;
/** Written one way everywhere ("0.5", "0.95"), so that an objective and what was observed join on `q`. */
const atQuantile = (q: number): Labels => ({ q: String(q) });

export function createScalerMetrics(): ScalerMetrics {
  const { registry, gauge, counter } = createInstruments();
  const links = createLinkMetrics({ gauge, counter });
  let collect = (): void => undefined;
  const stand = (standing: Standing): void => {
    gauge("fulcrum_leader").set(standing === "leading" ? 1 : 0);
    for (const one of STANDINGS) gauge("fulcrum_standing").set({ standing: one }, one === standing ? 1 : 0);
  };
  stand("cut-off");
  for (const reason of REFUSALS) counter("fulcrum_reports_rejected_total").inc({ reason }, 0);

  const put = (target: Gauge, labels: Labels, value: number | null | undefined): void => {
    if (value === undefined || value === null || !Number.isFinite(value)) target.remove(labels);
    else target.set(labels, value);
  };

  function observed(
    name: "fulcrum_observed_ttft_seconds" | "fulcrum_observed_itl_seconds",
    policy: Labels,
    summary: Summary | undefined,
  ): void {
    for (const { field, q } of QUANTILES) put(gauge(name), { ...policy, ...atQuantile(q) }, summary?.[field]);
  }

  function objective(view: TickView, labels: Labels, name: "ttft" | "itl", summary: Summary | undefined): void {
    const wanted = view.policy.spec.objectives[name];
    const own = { ...labels, objective: name };
    if (wanted !== undefined) put(gauge("fulcrum_objective_seconds"), { ...own, ...atQuantile(wanted.quantile) }, wanted.target);
    const within = summary?.within;
    const judged = summary !== undefined && within !== undefined && summary.count > 0;
    put(gauge("fulcrum_objective_attainment_ratio"), own, judged ? within / summary.count : undefined);
    if (wanted === undefined) return;
    put(gauge("fulcrum_objective_budget_spent_ratio"), own, view.insight?.budgetSpent[name === "ttft" ? "prefill" : "decode"]);
    counter("fulcrum_objective_requests_total").inc(own, judged ? summary.count : 0);
    counter("fulcrum_objective_misses_total").inc(own, judged ? Math.max(0, summary.count - within) : 0);
  }

  function pool(view: TickView, labels: Labels, role: PoolRole): void {
    const own = { ...labels, pool: poolNameOf(view.policy, role), role };
    const seen = view.observation.pools[role];
    const { decision, result, insight } = view;
    put(gauge("fulcrum_desired_replicas"), own, desiredReplicas(view, role));
    put(gauge("fulcrum_ready_replicas"), own, seen?.replicas?.ready);
    put(gauge("fulcrum_starting_replicas"), own, seen?.replicas?.starting.length);
    put(gauge("fulcrum_pool_requests_waiting"), own, seen?.queue?.requests);
    put(gauge("fulcrum_pool_coverage_ratio"), own, seen?.evidence?.coverage);
    put(gauge("fulcrum_velocity_tokens_per_second"), own, insight?.velocity[role]);
    put(gauge("fulcrum_pool_utilization_ratio"), own, insight?.utilization[role]);
    put(gauge("fulcrum_lead_time_seconds"), own, insight?.leadTime[role]);
    put(gauge("fulcrum_drain_time_seconds"), own, insight?.drainTime[role]);
    const limit = role === "prefill" ? decision.pools.prefill.limits?.maxBatchedTokens : decision.pools.decode.limits?.maxNumSeqs;
    put(gauge("fulcrum_recommended_batch_limit"), { ...own, limit: role === "prefill" ? "max_batched_tokens" : "max_num_seqs" }, limit);
    for (const direction of ["up", "down"]) counter("fulcrum_scale_actions_total").inc({ ...own, direction }, 0);
    for (const action of result.actions.filter((a) => a.role === role && a.kind === "replicas")) {
      const change = action.to - (action.from ?? 0);
      counter("fulcrum_scale_actions_total").inc({ ...own, direction: change > 0 ? "up" : "down" }, Math.abs(change));
    }
    counter("fulcrum_scale_reversals_total").inc(own, view.reversals.includes(role) ? 1 : 0);
    const failed = result.outcome === "failed" && (result.failedRole === undefined || result.failedRole === role);
    counter("fulcrum_scale_failures_total").inc(own, failed ? 1 : 0);
  }

  return {
    page() {
      collect();
      return registry.metrics();
    },
    tick(view) {
      const labels = labelsOf(view.policy);
      const { prefill, decode } = view.observation.pools;
      put(gauge("fulcrum_predicted_ttft_seconds"), labels, view.decision.predicted.ttft);
      put(gauge("fulcrum_predicted_itl_seconds"), labels, view.decision.predicted.itl);
      observed("fulcrum_observed_ttft_seconds", labels, prefill?.interval?.ttft);
      observed("fulcrum_observed_itl_seconds", labels, decode?.interval?.itl);
      for (const source of TTFT_SOURCES)
        put(gauge("fulcrum_ttft_source"), { ...labels, source }, view.ttftSource === source ? 1 : undefined);
      objective(view, labels, "ttft", prefill?.interval?.ttft);
      objective(view, labels, "itl", decode?.interval?.itl);
      for (const role of POOL_ROLES) pool(view, labels, role);
      for (const model of POOL_ROLES) put(gauge("fulcrum_model_error_ratio"), { ...labels, model }, view.insight?.modelError[model]);
      for (const mode of OVERRIDING)
        put(gauge("fulcrum_override_since_seconds"), { ...labels, mode }, view.override?.mode === mode ? view.override.at : undefined);
      put(gauge("fulcrum_gpu_budget"), labels, view.policy.spec.budget.gpus);
      put(gauge("fulcrum_gpus_allocated"), labels, allocatedGpus(view));
      counter("fulcrum_decisions_total").inc({ ...labels, reason: view.decision.reasons[0]?.code ?? "within-range" });
      // From zero, so that the first hold is visible as an increase.
      for (const reason of EVIDENCE_HOLDS) counter("fulcrum_holds_total").inc({ ...labels, reason }, 0);
      const held = holdReason(view.decision);
      if (held !== undefined) counter("fulcrum_holds_total").inc({ ...labels, reason: held });
    },
    dropPolicy(policy) {
      dropSeries(policy, gauge);
      links.drop(labelsOf(policy));
    },
    reportFolded: (node) => counter("fulcrum_reports_received_total").inc({ node }),
    refused: (reason) => counter("fulcrum_reports_rejected_total").inc({ reason }),
    kedaAnswered: (method, code) => counter("fulcrum_keda_requests_total").inc({ method, code }),
    standing: stand,
    stateLeft(outcome, bytes) {
      counter("fulcrum_shared_state_writes_total").inc({ outcome });
      if (bytes !== undefined) gauge("fulcrum_shared_state_bytes").set(bytes);
    },
    journalCopied: (outcome) => counter("fulcrum_journal_copies_total").inc({ outcome }),
    stitched: (count) => counter("fulcrum_requests_stitched_total").inc(count),
    explained(policy, request) {
      for (const { part, field } of TTFT_PARTS) {
        const seconds = request[field];
        if (seconds === undefined) continue;
        counter("fulcrum_ttft_part_seconds_total").inc({ ...labelsOf(policy), part }, seconds);
        counter("fulcrum_ttft_part_requests_total").inc({ ...labelsOf(policy), part });
      }
    },
    links: (policy, closed, view) => links.window(labelsOf(policy), closed, view),
    statusWritten: (outcome) => counter("fulcrum_policy_status_writes_total").inc({ outcome }),
    eventTold: (outcome) => counter("fulcrum_kube_events_total").inc({ outcome }),
    wrote: (action, outcome) => counter("fulcrum_writes_total").inc({ action, outcome }),
    readRefused: () => counter("fulcrum_reads_refused_total").inc(),
    policyFile: (file, valid) => put(gauge("fulcrum_policy_valid"), { file }, valid === undefined ? undefined : valid ? 1 : 0),
    onCollect(facts) {
      collect = () => {
        const { agents, fleet, now } = facts();
        gauge("fulcrum_agents_connected").set(agents);
        const ages = gauge("fulcrum_agent_report_age_seconds");
        // Nodes come and go: those that are gone leave no series behind.
        ages.reset();
        for (const { node, latest, receivedAt } of fleet.nodes.values())
          if (latest !== undefined) ages.set({ node }, Math.max(0, now - receivedAt));
      };
    },
  };
}

const labelsOf = ({ metadata }: Policy): Labels => ({ namespace: metadata.namespace, policy: metadata.name });

function dropSeries(policy: Policy, gauge: (name: Parameters<ReturnType<typeof createInstruments>["gauge"]>[0]) => Gauge): void {
  const labels = labelsOf(policy);
  for (const name of [
    "fulcrum_predicted_ttft_seconds",
    "fulcrum_predicted_itl_seconds",
    "fulcrum_gpu_budget",
    "fulcrum_gpus_allocated",
  ] as const)
    gauge(name).remove(labels);
  for (const mode of OVERRIDING) gauge("fulcrum_override_since_seconds").remove({ ...labels, mode });
  for (const source of TTFT_SOURCES) gauge("fulcrum_ttft_source").remove({ ...labels, source });
  for (const objective of ["ttft", "itl"] as const) {
    const wanted = policy.spec.objectives[objective];
    gauge("fulcrum_objective_attainment_ratio").remove({ ...labels, objective });
    gauge("fulcrum_objective_budget_spent_ratio").remove({ ...labels, objective });
    if (wanted !== undefined) gauge("fulcrum_objective_seconds").remove({ ...labels, objective, ...atQuantile(wanted.quantile) });
    const seen = objective === "ttft" ? "fulcrum_observed_ttft_seconds" : "fulcrum_observed_itl_seconds";
    for (const { q } of QUANTILES) gauge(seen).remove({ ...labels, ...atQuantile(q) });
  }
  for (const role of POOL_ROLES) {
    const own = { ...labels, pool: poolNameOf(policy, role), role };
    for (const name of POOL_GAUGES) gauge(name).remove(own);
    gauge("fulcrum_recommended_batch_limit").remove({ ...own, limit: role === "prefill" ? "max_batched_tokens" : "max_num_seqs" });
    gauge("fulcrum_model_error_ratio").remove({ ...labels, model: role });
  }
}

const POOL_GAUGES = [
  "fulcrum_desired_replicas",
  "fulcrum_ready_replicas",
  "fulcrum_starting_replicas",
  "fulcrum_pool_requests_waiting",
  "fulcrum_pool_coverage_ratio",
  "fulcrum_velocity_tokens_per_second",
  "fulcrum_pool_utilization_ratio",
  "fulcrum_lead_time_seconds",
  "fulcrum_drain_time_seconds",
] as const;
