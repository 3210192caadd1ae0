import { getJson, getText } from "./http.ts";
import type { DemoPorts } from "./ports.ts";
import type { PageState } from "../../wire/page.ts";
import type { Policy } from "../../scaler/policy/schema.ts";
import { countActions, type TimelineRow } from "../../sim/backtest/actions.ts";

interface Quantiles {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** The parts of the fleet's ground truth that the summary quotes (`GET /v1/truth`). */
interface Truth {
  readonly ttft: Quantiles | null;
  readonly itl: Quantiles | null;
  readonly totals: {
    readonly requests: number;
    readonly completed: number;
    readonly promptTokens: number;
    readonly generatedTokens: number;
    readonly kvTransferBytes: number;
  };
  readonly inFlight: number;
  readonly gpuSeconds: number;
  readonly attainment: { readonly ttft: number | null; readonly itl: number | null; readonly both: number | null };
  readonly timeline: readonly TimelineRow[];
}

/** One object on stdout with `--json`; latencies are the fleet's ground truth, decisions the scaler's journal. */
export interface DemoSummary {
  readonly policy: string;
  readonly engine: string;
  readonly trace: string;
  readonly seconds: number;
  readonly interrupted: boolean;
  readonly requests: number;
  readonly completed: number;
  /** Requests still being served when a run was stopped: nobody knows yet what they will have met. */
  readonly inFlight: number;
  /** Shares of the requests that have ended. */
  readonly attainment: Truth["attainment"];
  readonly ttft: Quantiles | null;
  readonly itl: Quantiles | null;
  readonly promptTokens: number;
  readonly generatedTokens: number;
  readonly kvTransferBytes: number;
  readonly gpuHours: number;
  readonly decisions: number;
  readonly holds: number;
  readonly actions: { readonly up: number; readonly down: number; readonly conversions: number; readonly reversals: number };
  readonly timeline: readonly TimelineRow[];
  readonly agents: readonly { readonly node: string; readonly connected: boolean; readonly reports: number }[];
  readonly reports: number;
  readonly spans: number;
  readonly restarts: Readonly<Record<string, number>>;
  readonly journal: string;
}

export interface Collected {
  readonly truth: Truth;
  readonly state: PageState | undefined;
  readonly spans: number;
}

/** Asks the fleet, the scaler and the agents while they still run; undefined when the fleet does not answer. */
export async function collect(ports: DemoPorts, host: string, policy: Policy): Promise<Collected | undefined> {
  const { ttft, itl } = policy.spec.objectives;
  const query = new URLSearchParams();
  if (ttft !== undefined) query.set("ttft", String(ttft.target));
  if (itl !== undefined) query.set("itl", String(itl.target));
  const truth = await getJson<Truth>(`http://${host}:${ports.fleet}/v1/truth?${query.toString()}`, 10_000);
  if (truth === undefined) return undefined;
  const state = await getJson<PageState>(`http://${host}:${ports.page}/api/state`);
  const pages = await Promise.all(ports.agents.map((a) => getText(`http://${host}:${a.metrics}/metrics`)));
  return { truth, state, spans: pages.reduce((sum, page) => sum + sumOf(page ?? "", "fulcrum_spans_received_total"), 0) };
}

/** Sum of all series of one counter on a page of ours. */
export function sumOf(page: string, name: string): number {
  let sum = 0;
  for (const line of page.split("\n")) {
    if (!line.startsWith(name)) continue;
    const next = line[name.length];
    if (next !== " " && next !== "{") continue;
    sum += Number(line.slice(line.lastIndexOf(" ") + 1)) || 0;
  }
  return sum;
}

export function summarize(input: {
  readonly collected: Collected;
  readonly policy: Policy;
  readonly engine: string;
  readonly trace: string;
  readonly seconds: number;
  readonly interrupted: boolean;
  readonly decisions: { readonly total: number; readonly holds: number };
  readonly restarts: Readonly<Record<string, number>>;
  readonly journal: string;
}): DemoSummary {
  const { truth, state, spans } = input.collected;
  const agents = (state?.agents ?? [])
    .map(({ node, connected, reports }) => ({ node, connected, reports }))
    .sort((a, b) => (a.node < b.node ? -1 : 1));
  return {
    policy: input.policy.metadata.name,
    engine: input.engine,
    trace: input.trace,
    seconds: input.seconds,
    interrupted: input.interrupted,
    requests: truth.totals.requests,
    completed: truth.totals.completed,
    inFlight: truth.inFlight,
    attainment: ofEnded(truth),
    ttft: truth.ttft,
    itl: truth.itl,
    promptTokens: truth.totals.promptTokens,
    generatedTokens: truth.totals.generatedTokens,
    kvTransferBytes: truth.totals.kvTransferBytes,
    gpuHours: truth.gpuSeconds / 3600,
    decisions: input.decisions.total,
    holds: input.decisions.holds,
    actions: countActions(truth.timeline),
    timeline: truth.timeline,
    agents,
    reports: agents.reduce((sum, a) => sum + a.reports, 0),
    spans,
    restarts: input.restarts,
    journal: input.journal,
  };
}

/** The fleet counts what has not ended as missed, as a back-test does at its end; a run that is stopped has no end. */
function ofEnded({ attainment, totals, inFlight }: Truth): Truth["attainment"] {
  const ended = totals.requests - inFlight;
  const share = (x: number | null): number | null => (x === null || ended <= 0 ? null : Math.min(1, (x * totals.requests) / ended));
  return { ttft: share(attainment.ttft), itl: share(attainment.itl), both: share(attainment.both) };
}

const ms = (s: number | undefined): string => (s === undefined ? "—" : `${(s * 1000).toFixed(s < 0.1 ? 1 : 0)} ms`);
const percent = (x: number | null): string => (x === null ? "—" : `${(x * 100).toFixed(2)} %`);

export function summaryText(s: DemoSummary): string {
  const { actions: a } = s;
  return [
    `${s.interrupted ? "Stopped" : "Done"} after ${s.seconds.toFixed(0)} s: ${s.completed} of ${s.requests} requests completed${s.inFlight > 0 ? `, ${s.inFlight} still in flight` : ""} (${s.trace}, ${s.engine} engines)`,
    `TTFT  p50 ${ms(s.ttft?.p50)}  p95 ${ms(s.ttft?.p95)}  p99 ${ms(s.ttft?.p99)}   within target ${percent(s.attainment.ttft)}`,
    `ITL   p50 ${ms(s.itl?.p50)}  p95 ${ms(s.itl?.p95)}  p99 ${ms(s.itl?.p99)}   within target ${percent(s.attainment.itl)}`,
    `Both objectives met by ${percent(s.attainment.both)} of requests${s.inFlight > 0 ? " that ended" : ""}, for ${s.gpuHours.toFixed(3)} GPU-hours`,
    `Decisions ${s.decisions} (${s.holds} held): ${a.up} up, ${a.down} down, ${a.conversions} conversions, ${a.reversals} reversals`,
    `Evidence: ${s.agents.length} agents, ${s.reports} reports, ${s.spans} spans`,
    `Journal ${s.journal} (fulcrum replay ${s.journal})`,
  ].join("\n");
}
