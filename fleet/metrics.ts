import { Gauge, Counter, Registry as PromRegistry } from "prom-client";
import { metric, type MetricName } from "../core/catalog.ts";
import { ROLES, type Fleet } from "./fleet.ts";

const PHASES = ["starting", "ready", "draining"] as const;

/** The fleet's own page: its ground truth under the names of the metric catalog. */
export function createFleetMetrics(fleet: Fleet): { page(): Promise<string>; readonly contentType: string } {
  const register = new PromRegistry();
  const options = (name: MetricName) => ({ name, help: metric(name).help, labelNames: [...metric(name).labels], registers: [register] });
  const replicas = new Gauge({
    ...options("fulcrum_fleet_replicas"),
    collect() {
      for (const role of ROLES) {
        const phases = fleet.pool(role).replicas.map((replica) => replica.phase);
        for (const phase of PHASES) this.set({ pool: role, role, phase }, phases.filter((one) => one === phase).length);
      }
    },
  });
  const requests = new Counter(options("fulcrum_fleet_requests_total"));
  const bytes = new Counter(options("fulcrum_fleet_kv_transfer_bytes_total"));
  const tokens = new Counter(options("fulcrum_fleet_generated_tokens_total"));
  void replicas;
  const raise = followTotals();
  return {
    contentType: register.contentType,
    page() {
      const { totals } = fleet.truth;
      raise("submitted", totals.requests, (by) => requests.inc({ state: "submitted" }, by));
      raise("completed", totals.completed, (by) => requests.inc({ state: "completed" }, by));
      raise("failed", totals.failed, (by) => requests.inc({ state: "failed" }, by));
      raise("bytes", totals.kvTransferBytes, (by) => bytes.inc(by));
      raise("tokens", totals.generatedTokens, (by) => tokens.inc(by));
      return register.metrics();
    },
  };
}

/** prom-client counters only take increments: remembers what has been told of each running total. */
function followTotals(): (key: string, total: number, increase: (by: number) => void) => void {
  const told = new Map<string, number>();
  return (key, total, increase) => {
    increase(Math.max(0, total - (told.get(key) ?? 0)));
    told.set(key, total);
  };
}
