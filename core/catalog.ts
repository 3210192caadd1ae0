/**
 * Every metric Fulcrum exports, once: exporters, dashboards, alerts and docs/metrics.md all read this table.
 * Names follow Prometheus conventions (base units, `_total` on counters).
 */
export type MetricKind = "counter" | "gauge" | "histogram";
export type Exporter = "agent" | "scaler" | "fleet";

export interface MetricSpec {
  readonly name: string;
  readonly kind: MetricKind;
  readonly help: string;
  readonly labels: readonly string[];
  readonly by: readonly Exporter[];
  /** Histogram upper bounds, in the metric's own unit. */
  readonly buckets?: readonly number[];
  /** Exported through the OpenTelemetry SDK (Fulcrum watching itself) instead of prom-client. */
  readonly self?: true;
}

const POOL = ["namespace", "pool", "role", "model", "engine"] as const;
const GPU = ["gpu", "uuid", "pod", "pool", "role"] as const;
const LINK = ["namespace", "policy", "source", "target"] as const;
const RDMA = ["device", "port", "netdev"] as const;
const POLICY = ["namespace", "policy"] as const;
// The quantile of a gauge stands in `q`: Prometheus keeps the label `quantile` for summaries.
const POLICY_POOL = ["namespace", "policy", "pool", "role"] as const;

/** Ends at 60 s: past that a request is lost to any user. Dense around usual TTFT targets (0.2–2 s). */
export const TTFT_BUCKETS = [0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 3, 5, 7.5, 10, 20, 40, 60] as const;
/** Dense around usual ITL targets (10–100 ms). */
export const ITL_BUCKETS = [
  0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5,
] as const;
const E2E_BUCKETS = [0.1, 0.25, 0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 45, 60, 120, 300] as const;
const TRANSFER_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5] as const;
const SELF_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1] as const;

const agent = ["agent"] as const;
const scaler = ["scaler"] as const;
const fleet = ["fleet"] as const;

// Names, kinds and labels stay literal types: a dashboard that rates a gauge or groups by a label the metric lacks does not compile.
type Labels = readonly string[];

const gauge = <const N extends string, const L extends Labels>(name: N, help: string, labels: L, by: readonly Exporter[]) => ({
  name,
  kind: "gauge" as const,
  help,
  labels,
  by,
});
const counter = <const N extends string, const L extends Labels>(name: N, help: string, labels: L, by: readonly Exporter[]) => ({
  name,
  kind: "counter" as const,
  help,
  labels,
  by,
});
const histogram = <const N extends string, const L extends Labels>(
  name: N,
  help: string,
  labels: L,
  by: readonly Exporter[],
  buckets: readonly number[],
) => ({ name, kind: "histogram" as const, help, labels, by, buckets });

export const CATALOG = [
  // Agent: latency of the pools on this node.
  histogram("fulcrum_ttft_seconds", "Time to first token of requests served by this pool on this node.", POOL, agent, TTFT_BUCKETS),
  histogram("fulcrum_itl_seconds", "Inter-token latency of requests served by this pool on this node.", POOL, agent, ITL_BUCKETS),
  histogram("fulcrum_e2e_seconds", "Request duration from arrival to last token.", POOL, agent, E2E_BUCKETS),
  histogram("fulcrum_queue_seconds", "Time a request waited before it was scheduled.", POOL, agent, TTFT_BUCKETS),
  histogram("fulcrum_prefill_seconds", "Time a request spent in prefill.", POOL, agent, TTFT_BUCKETS),
  gauge("fulcrum_requests_running", "Requests in execution batches.", POOL, agent),
  gauge("fulcrum_requests_waiting", "Requests waiting to be scheduled.", POOL, agent),
  counter("fulcrum_prompt_tokens_total", "Prompt tokens processed, cached ones included.", POOL, agent),
  counter("fulcrum_cached_tokens_total", "Prompt tokens served from a prefix cache.", POOL, agent),
  counter("fulcrum_generated_tokens_total", "Output tokens generated.", POOL, agent),
  gauge("fulcrum_kv_cache_usage_ratio", "KV cache in use, 0 to 1, mean over the pool's replicas on this node.", POOL, agent),
  counter("fulcrum_kv_transfer_bytes_total", "KV cache bytes handed from prefill to decode.", POOL, agent),
  histogram("fulcrum_kv_transfer_seconds", "Duration of one KV transfer.", POOL, agent, TRANSFER_BUCKETS),
  counter("fulcrum_kv_transfer_failures_total", "KV transfers that failed.", POOL, agent),
  gauge(
    "fulcrum_kv_transfer_bandwidth_bytes_per_second",
    "KV cache bytes handed over per second of wall time, last interval.",
    [...POOL, "source", "target"],
    agent,
  ),
  // Agent: GPUs.
  gauge("fulcrum_gpu_sm_active_ratio", "Share of time at least one warp was active on a multiprocessor.", GPU, agent),
  gauge("fulcrum_gpu_sm_occupancy_ratio", "Resident warps ÷ the most that fit, mean over multiprocessors and time.", GPU, agent),
  gauge("fulcrum_gpu_tensor_active_ratio", "Share of cycles the tensor cores were active.", GPU, agent),
  gauge("fulcrum_gpu_fp64_active_ratio", "Share of cycles the FP64 units were active.", GPU, agent),
  gauge("fulcrum_gpu_fp32_active_ratio", "Share of cycles the FP32 units were active.", GPU, agent),
  gauge("fulcrum_gpu_fp16_active_ratio", "Share of cycles the FP16 units (not the tensor cores) were active.", GPU, agent),
  gauge("fulcrum_gpu_dram_active_ratio", "Share of cycles the memory interface was active.", GPU, agent),
  gauge("fulcrum_gpu_memory_used_bytes", "GPU memory in use.", GPU, agent),
  gauge("fulcrum_gpu_memory_total_bytes", "GPU memory installed.", GPU, agent),
  gauge("fulcrum_gpu_power_watts", "GPU power draw.", GPU, agent),
  gauge("fulcrum_gpu_temperature_celsius", "GPU temperature.", GPU, agent),
  gauge("fulcrum_gpu_memory_temperature_celsius", "Temperature of the GPU's memory.", GPU, agent),
  gauge("fulcrum_gpu_sm_clock_hertz", "Clock of the multiprocessors.", GPU, agent),
  gauge("fulcrum_gpu_memory_clock_hertz", "Clock of the GPU's memory.", GPU, agent),
  gauge("fulcrum_gpu_pcie_receive_bytes_per_second", "PCIe traffic into the GPU.", GPU, agent),
  gauge("fulcrum_gpu_pcie_transmit_bytes_per_second", "PCIe traffic out of the GPU.", GPU, agent),
  gauge("fulcrum_gpu_nvlink_receive_bytes_per_second", "NVLink traffic into the GPU.", GPU, agent),
  gauge("fulcrum_gpu_nvlink_transmit_bytes_per_second", "NVLink traffic out of the GPU.", GPU, agent),
  counter("fulcrum_gpu_clock_throttle_seconds_total", "Time the GPU's clocks were held down, by reason.", [...GPU, "reason"], agent),
  counter("fulcrum_gpu_xid_errors_total", "XID events reported by the driver.", [...GPU, "xid"], agent),
  counter("fulcrum_gpu_ecc_errors_total", "ECC errors, by kind.", [...GPU, "kind"], agent),
  gauge("fulcrum_gpu_remapped_rows", "Memory rows replaced by spare ones, by the kind of error that caused it.", [...GPU, "kind"], agent),
  gauge("fulcrum_gpu_row_remap_pending", "1 while a row replacement waits for a GPU reset, else 0.", GPU, agent),
  gauge("fulcrum_gpu_row_remap_failed", "1 when a row could not be replaced: the board is due for exchange; else 0.", GPU, agent),
  gauge("fulcrum_gpu_mig_enabled", "1 when the GPU is split into instances (MIG), else 0.", GPU, agent),
  gauge("fulcrum_gpu_instance_info", "1 per MIG instance, with the GPU it is a part of.", [...GPU, "parent", "profile"], agent),
  gauge("fulcrum_gpu_instance_share_ratio", "Compute slices of a MIG instance ÷ those of the whole GPU.", GPU, agent),
  counter(
    "fulcrum_gpu_reader_restarts_total",
    "Times the process that reads NVML was replaced, by reason: crash, hang, lost.",
    ["reason"],
    agent,
  ),
  // Agent: the path of the KV cache between nodes.
  gauge("fulcrum_rdma_link_up", "1 while the RDMA port is active, else 0.", RDMA, agent),
  gauge("fulcrum_rdma_link_bytes_per_second", "Rate of the RDMA port's link.", RDMA, agent),
  counter("fulcrum_rdma_receive_bytes_total", "Bytes the RDMA port received, whoever they were for.", RDMA, agent),
  counter("fulcrum_rdma_transmit_bytes_total", "Bytes the RDMA port sent, whoever they were from.", RDMA, agent),
  counter(
    "fulcrum_rdma_events_total",
    "What else the RDMA port counted, by event: packets, waits, marks, notifications, repeats and errors.",
    [...RDMA, "event"],
    agent,
  ),
  gauge(
    "fulcrum_kv_path_bytes_per_second",
    "What moved on the node, by path: application (KV bytes as the engines count them) beside rdma, network, pcie and nvlink, for whatever purpose.",
    ["path", "direction"],
    agent,
  ),
  gauge(
    "fulcrum_kv_path_problem",
    "1 while the KV path of the node has this problem, 0 while it has not; no series while nothing says.",
    ["problem"],
    agent,
  ),
  // Agent: its sources and itself.
  gauge("fulcrum_source_up", "1 when the last read of this source succeeded, else 0.", ["source", "target"], agent),
  gauge("fulcrum_source_age_seconds", "Seconds since the last good read of this source.", ["source", "target"], agent),
  gauge(
    "fulcrum_source_missing_signals",
    "Signals that an engine's page should give and did not at the last good read; fulcrum doctor names them.",
    ["source", "target"],
    agent,
  ),
  gauge(
    "fulcrum_agent_pods_unattributed",
    "Pods of this node that look like serving and are in no pool, by reason; /targets of the agent and fulcrum doctor name them.",
    ["reason"],
    agent,
  ),
  counter(
    "fulcrum_agent_pod_watch_restarts_total",
    "Watches of this node's pods that were lost, by reason: expired, broken, refused.",
    ["reason"],
    agent,
  ),
  gauge("fulcrum_host_memory_used_bytes", "Memory in use on the node.", [], agent),
  gauge("fulcrum_host_memory_total_bytes", "Memory installed on the node.", [], agent),
  gauge("fulcrum_host_load1", "One-minute load average of the node.", [], agent),
  counter("fulcrum_spans_received_total", "Spans received over OTLP.", ["transport"], agent),
  counter("fulcrum_spans_dropped_total", "Spans refused or not understood, by reason.", ["reason"], agent),
  counter("fulcrum_spans_sampled_out_total", "Spans counted and not looked into: over the rate limit, by whole traces.", [], agent),
  gauge("fulcrum_spans_sampled_ratio", "Share of the last interval's spans that was looked into.", [], agent),
  counter("fulcrum_spans_forwarded_total", "Spans the downstream collector accepted.", [], agent),
  counter(
    "fulcrum_spans_forward_dropped_total",
    "Spans received and not passed on to the downstream collector, by reason.",
    ["reason"],
    agent,
  ),
  gauge("fulcrum_forward_queue_bytes", "Received traces waiting for the downstream collector.", [], agent),
  counter("fulcrum_reports_sent_total", "Node reports the scaler has acknowledged.", [], agent),
  counter("fulcrum_reports_dropped_total", "Node reports that left the outbox unsent because it was full.", [], agent),
  gauge("fulcrum_link_up", "1 while the agent is connected to the scaler, else 0.", [], agent),
  counter("fulcrum_engine_resets_total", "Engine counters that went backwards: the engine restarted.", POOL, agent),
  // Scaler: what it wants and why.
  gauge("fulcrum_desired_replicas", "Replicas the scaler wants.", POLICY_POOL, scaler),
  gauge("fulcrum_ready_replicas", "Replicas that are ready.", POLICY_POOL, scaler),
  gauge("fulcrum_starting_replicas", "Replicas that were asked for and are not ready yet.", POLICY_POOL, scaler),
  gauge(
    "fulcrum_recommended_batch_limit",
    "Batch limit the scaler wants: tokens per pass (prefill), sequences (decode).",
    [...POLICY_POOL, "limit"],
    scaler,
  ),
  gauge("fulcrum_predicted_ttft_seconds", "TTFT at the objective's quantile that the model predicts for the chosen plan.", POLICY, scaler),
  gauge(
    "fulcrum_predicted_itl_seconds",
    "Inter-token latency at the objective's quantile that the model predicts for the chosen plan.",
    POLICY,
    scaler,
  ),
  gauge("fulcrum_observed_ttft_seconds", "TTFT of the last control interval, fleet-wide, at quantile q.", [...POLICY, "q"], scaler),
  gauge(
    "fulcrum_observed_itl_seconds",
    "Inter-token latency of the last control interval, fleet-wide, at quantile q.",
    [...POLICY, "q"],
    scaler,
  ),
  gauge(
    "fulcrum_ttft_source",
    "1 for the side that the observed TTFT was taken from: frontend, stitched, decode, prefill+decode or prefill; no series when nothing was observed.",
    [...POLICY, "source"],
    scaler,
  ),
  gauge("fulcrum_objective_seconds", "Latency target of the policy, at quantile q.", [...POLICY, "objective", "q"], scaler),
  gauge(
    "fulcrum_objective_budget_spent_ratio",
    "Share of the objective's error budget (1 − quantile of the samples) that misses of the last hours have spent, unseen time counted as spent: below 1 the scaler eases its caution, at 0.5 all of it.",
    [...POLICY, "objective"],
    scaler,
  ),
  gauge("fulcrum_objective_attainment_ratio", "Share of the last interval's samples within the target.", [...POLICY, "objective"], scaler),
  counter(
    "fulcrum_objective_requests_total",
    "Samples judged against the objective: TTFT per request, ITL per token.",
    [...POLICY, "objective"],
    scaler,
  ),
  counter("fulcrum_objective_misses_total", "Samples that missed the objective.", [...POLICY, "objective"], scaler),
  gauge(
    "fulcrum_velocity_tokens_per_second",
    "Tokens per second that one replica of the pool sustains at its batch limit, as learned.",
    POLICY_POOL,
    scaler,
  ),
  gauge("fulcrum_pool_utilization_ratio", "Demand ÷ capacity of the ready replicas, as the model sees it.", POLICY_POOL, scaler),
  gauge("fulcrum_lead_time_seconds", "Seconds from a decision to a ready replica, as learned.", POLICY_POOL, scaler),
  gauge(
    "fulcrum_drain_time_seconds",
    "Seconds from a replica's being told to stop until it is gone and its GPUs are free, as learned.",
    POLICY_POOL,
    scaler,
  ),
  gauge("fulcrum_pool_requests_waiting", "Requests waiting in the pool, all nodes.", POLICY_POOL, scaler),
  gauge("fulcrum_pool_coverage_ratio", "Replicas with fresh reports ÷ ready replicas.", POLICY_POOL, scaler),
  counter("fulcrum_decisions_total", "Control decisions, by leading reason.", [...POLICY, "reason"], scaler),
  counter(
    "fulcrum_holds_total",
    "Decisions that left the pools as they are although the model wanted a change, by reason.",
    [...POLICY, "reason"],
    scaler,
  ),
  counter("fulcrum_scale_actions_total", "Replica changes applied, by direction.", [...POLICY_POOL, "direction"], scaler),
  counter("fulcrum_scale_reversals_total", "Changes of direction of the same pool within 120 s.", POLICY_POOL, scaler),
  counter("fulcrum_scale_failures_total", "Actions that could not be applied.", [...POLICY_POOL], scaler),
  gauge(
    "fulcrum_model_error_ratio",
    "Relative error of the latency models against what was delivered, rolling.",
    [...POLICY, "model"],
    scaler,
  ),
  gauge("fulcrum_leader", "1 while this scaler may act, else 0.", [], scaler),
  gauge(
    "fulcrum_standing",
    "1 for what this scaler is, else 0: leading, standby (another one leads) or cut-off (nobody is known to lead, and it may not).",
    ["standing"],
    scaler,
  ),
  gauge("fulcrum_shared_state_bytes", "Size of what this scaler last left for its successor, compressed.", [], scaler),
  counter(
    "fulcrum_journal_copies_total",
    "Rounds in which the leader's journal was copied to a scaler on standby, by outcome.",
    ["outcome"],
    scaler,
  ),
  counter("fulcrum_shared_state_writes_total", "Times that what was learned was left for a successor, by outcome.", ["outcome"], scaler),
  gauge("fulcrum_agents_connected", "Agents connected to this scaler.", [], scaler),
  gauge("fulcrum_agent_report_age_seconds", "Seconds since the node's last report.", ["node"], scaler),
  gauge("fulcrum_gpu_budget", "GPUs the policy may use.", POLICY, scaler),
  gauge("fulcrum_gpus_allocated", "GPUs of ready and starting replicas.", POLICY, scaler),
  counter("fulcrum_reports_received_total", "Node reports folded, by node.", ["node"], scaler),
  counter("fulcrum_reports_rejected_total", "Messages refused, by reason.", ["reason"], scaler),
  counter("fulcrum_requests_stitched_total", "Requests whose prefill and decode halves were joined by trace id.", [], scaler),
  counter(
    "fulcrum_ttft_part_seconds_total",
    "Time to first token of stitched requests, by part: queue, prefill, transfer, first_decode (its wait and first step).",
    [...POLICY, "part"],
    scaler,
  ),
  counter("fulcrum_ttft_part_requests_total", "Stitched requests of which this part was measured.", [...POLICY, "part"], scaler),
  // Scaler: KV transfers by source and target node. An end is empty where only the other is known; further links than fit count as other.
  counter("fulcrum_kv_link_transfers_total", "KV transfers of stitched requests.", LINK, scaler),
  counter("fulcrum_kv_link_transfer_seconds_total", "Time those transfers took.", LINK, scaler),
  counter("fulcrum_kv_link_failures_total", "KV transfers that failed, as engines count them on one of the two nodes.", LINK, scaler),
  gauge("fulcrum_kv_link_bytes_per_second", "KV bytes of stitched requests over wall time, last minute.", LINK, scaler),
  gauge(
    "fulcrum_kv_link_speed_bytes_per_second",
    "KV bytes of stitched requests over the time their transfers took, last minute.",
    LINK,
    scaler,
  ),
  gauge("fulcrum_kv_link_slow", "1 while the link is at least twice as slow as the median link of its policy, else 0.", LINK, scaler),
  counter("fulcrum_keda_requests_total", "Questions of KEDA answered, by method and gRPC status.", ["method", "code"], scaler),
  gauge(
    "fulcrum_policy_valid",
    "1 when a policy file or ScalingPolicy object is in use as it stands, 0 while it is invalid or in conflict with another.",
    ["file"],
    scaler,
  ),
  gauge(
    "fulcrum_override_since_seconds",
    "Unix time at which an operator set the policy to do less than its own mode says, by what it does now: paused or observe. Absent while nobody has.",
    [...POLICY, "mode"],
    scaler,
  ),
  counter(
    "fulcrum_writes_total",
    "Writes asked of the API, by action (pause, resume, mode) and outcome: done, refused, unauthorized, disabled or failed.",
    ["action", "outcome"],
    scaler,
  ),
  counter(
    "fulcrum_reads_refused_total",
    "Requests for page, API or live feed that presented a token or password that is none.",
    [],
    scaler,
  ),
  counter("fulcrum_policy_status_writes_total", "Statuses of ScalingPolicy objects written, by outcome.", ["outcome"], scaler),
  counter(
    "fulcrum_kube_events_total",
    "Kubernetes events told, by outcome: written, counted on an earlier one, dropped or failed.",
    ["outcome"],
    scaler,
  ),
  // Fleet (the simulated one): its ground truth.
  gauge("fulcrum_fleet_replicas", "Replicas of the simulated fleet, by phase.", ["pool", "role", "phase"], fleet),
  counter("fulcrum_fleet_requests_total", "Requests of the replayed trace, by state.", ["state"], fleet),
  counter("fulcrum_fleet_kv_transfer_bytes_total", "KV bytes moved between the simulated replicas.", [], fleet),
  counter("fulcrum_fleet_generated_tokens_total", "Output tokens the simulated fleet generated.", [], fleet),
  // Fulcrum watching itself, through the OpenTelemetry SDK.
  { ...histogram("fulcrum_tick_duration_seconds", "Duration of one control tick, by stage.", ["stage"], scaler, SELF_BUCKETS), self: true },
  { ...histogram("fulcrum_scrape_duration_seconds", "Duration of one scrape, by source.", ["source"], agent, SELF_BUCKETS), self: true },
  { ...counter("fulcrum_scrape_bytes_total", "Bytes read by scrapes, by source.", ["source"], agent), self: true },
  { ...counter("fulcrum_scrape_failures_total", "Scrapes that gave nothing, by source.", ["source"], agent), self: true },
  {
    ...counter(
      "fulcrum_scrape_unreadable_total",
      "Parts of scraped pages left out (unreadable, twice on the page, over a limit), by source.",
      ["source"],
      agent,
    ),
    self: true,
  },
  { ...gauge("fulcrum_process_resident_memory_bytes", "Resident memory of this process.", [], ["agent", "scaler"]), self: true },
  { ...counter("fulcrum_process_cpu_seconds_total", "CPU time of this process.", [], ["agent", "scaler"]), self: true },
] as const satisfies readonly MetricSpec[];

export type MetricName = (typeof CATALOG)[number]["name"];

const BY_NAME: ReadonlyMap<string, MetricSpec> = new Map(CATALOG.map((m) => [m.name, m]));

/** The catalog entry of a metric; throws on a name that is not in it (a bug, not an input error). */
export function metric(name: MetricName): MetricSpec {
  const spec = BY_NAME.get(name);
  if (spec === undefined) throw new Error(`metric not in the catalog: ${name}`);
  return spec;
}
