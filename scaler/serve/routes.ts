import { summarize } from "../../core/distributions/summary.ts";
import { fleetTotals } from "../intake/fleet-view.ts";
import type { Scaler } from "../loop/scaler.ts";
import type { History } from "../state/history.ts";
import { json, type Reply, type Route } from "./http.ts";
import { JOURNAL_PATH } from "./journal.ts";

export interface RouteDeps {
  readonly scaler: Scaler;
  readonly history: History;
  readonly metrics: () => Promise<string>;
  /** Every source of policies has been read: having none is then an answer. */
  readonly policiesKnown: () => boolean;
  readonly journal: (query: URLSearchParams) => Promise<Reply>;
  /** What operators have said about modes, and the last changes of it. */
  readonly overrides: () => unknown;
}

const PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8";
/** A loop that missed this many intervals, and half a minute, hangs. */
const MISSED_INTERVALS = 5;

export function createRoutes({ scaler, history, metrics, policiesKnown, overrides, journal }: RouteDeps): ReadonlyMap<string, Route> {
  return new Map<string, Route>([
    ["/metrics", async () => ({ status: 200, type: PROMETHEUS, body: await metrics() })],
    ["/healthz", () => health(scaler)],
    ["/readyz", () => ready(scaler, policiesKnown())],
    ["/api/state", () => json(scaler.state())],
    ["/api/decisions", (url) => listing(url, (limit, policy) => history.decisions(limit, policy))],
    ["/api/history", (url) => listing(url, (limit, policy) => history.frames(limit, policy))],
    ["/api/totals", () => json(totals(scaler))],
    ["/api/overrides", () => json(overrides())],
    [JOURNAL_PATH, (url) => journal(url.searchParams)],
  ]);
}

function health(scaler: Scaler): Reply {
  const stuck = scaler.runners().filter((r) => r.idle() > MISSED_INTERVALS * r.policy.spec.behavior.interval + 30);
  if (stuck.length === 0) return json({ status: "ok" });
  return json({ status: "stuck", policies: stuck.map((r) => ({ policy: r.name, secondsSinceTick: r.idle() })) }, 503);
}

function ready(scaler: Scaler, known: boolean): Reply {
  if (known || scaler.runners().length > 0) return json({ status: "ready" });
  return json({ status: "not ready", reason: "no policy is loaded" }, 503);
}

/** `?limit=` (default 100) and `?policy=namespace/name`. */
function listing(url: URL, list: (limit: number, policy: string | undefined) => readonly unknown[]): Reply {
  const text = url.searchParams.get("limit") ?? "100";
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : undefined;
  if (limit === undefined) return json({ error: `limit must be a whole number, not "${text.slice(0, 40)}"` }, 400);
  return json(list(limit, url.searchParams.get("policy") ?? undefined));
}

/** Everything folded since this scaler started: counters exactly, distributions as summaries, the stitched TTFT explained. */
function totals(scaler: Scaler): unknown {
  const { counts, breakdown } = scaler.stitching();
  const pools = [...fleetTotals(scaler.fleet()).values()].map(({ id, counters, distributions, spans, resets }) => ({
    ...id,
    counters,
    distributions: summaries(distributions),
    spans: summaries(spans),
    resets,
  }));
  const policies = [...breakdown].map(([name, b]) => {
    const runner = scaler.runners().find((r) => r.name === name);
    return { policy: name, ttftSource: runner?.last()?.ttftSource ?? null, stitched: b.summary() };
  });
  return { pools, policies, stitching: counts };
}

function summaries(distributions: Readonly<Record<string, Parameters<typeof summarize>[0] | undefined>>): Record<string, unknown> {
  const known = Object.entries(distributions).flatMap(([name, d]) => (d === undefined ? [] : [[name, summarize(d) ?? null] as const]));
  return Object.fromEntries(known);
}
