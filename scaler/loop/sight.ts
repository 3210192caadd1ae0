import type { NodeReport } from "../../wire/messages.ts";
import type { Actuator, ClusterFacts } from "../act/actuator.ts";
import type { FleetView } from "../intake/fleet-view.ts";
import { closeInterval, remember, startInterval } from "../intake/interval.ts";
import { noMemory, observe, type Observed } from "../intake/observe.ts";
import { belongs } from "../intake/select.ts";
import type { Stitched } from "../intake/stitch.ts";
import type { Log } from "../log.ts";
import type { Policy } from "../policy/schema.ts";
import { createHealthWatch, type Health } from "./health.ts";
import { poolGpus } from "./pool-gpus.ts";
import { poolNameOf, type PoolGpus, type PoolRole, type TickView } from "./tick-view.ts";

/** What one policy has been told since its last tick, and what it makes of it when the next one comes. */
export interface Sight {
  report(report: NodeReport): void;
  stitched(request: Stitched): void;
  look(signal: AbortSignal): Promise<Seen>;
  /** Of the pods, for choosing which go. */
  health(): Health;
}

export interface Seen {
  readonly at: number;
  readonly observed: Observed;
  readonly facts: ClusterFacts | undefined;
  /** Why there are no facts. */
  readonly error: string | undefined;
  readonly gpus: TickView["gpus"];
}

export interface SightDeps {
  readonly actuator: Actuator;
  readonly clock: () => number;
  readonly fleet: () => FleetView;
  readonly log: Log;
}

/** Stitched requests kept for one interval; more only make its quantiles finer. */
const MAX_STITCHED = 20_000;

export function createSight(name: string, policy: Policy, { actuator, clock, fleet, log }: SightDeps): Sight {
  const { interval, evidence } = policy.spec.behavior;
  let reports = startInterval(clock());
  const watch = createHealthWatch();
  let requests: Stitched[] = [];
  let memory = noMemory;

  const gpus = (role: PoolRole, at: number): PoolGpus => poolGpus(fleet(), at, poolNameOf(policy, role), role, evidence.maxAge);

  return {
    report(report) {
      reports = remember(reports, report);
      watch.report(report, clock());
    },
    health: () => watch.of(fleet(), policy.metadata.namespace, clock(), evidence.maxAge),
    stitched(request) {
      if (requests.length < MAX_STITCHED) requests.push(request);
    },
    async look(signal) {
      const asked = await actuator.facts(policy, signal);
      const at = clock();
      const facts = asked.ok ? asked.value : undefined;
      const closed = closeInterval(reports, at, interval, (pool) => belongs(policy, pool));
      const observed = observe({ now: at, policy, fleet: fleet(), interval: closed?.interval, stitched: requests, facts, memory });
      memory = observed.memory;
      if (closed !== undefined) {
        reports = closed.next;
        requests = [];
        const { late } = closed.interval;
        if (late > 0) log.info({ policy: name, reports: late }, "intake: late reports count in totals only");
      }
      const error = asked.ok ? undefined : asked.error;
      return { at, observed, facts, error, gpus: { prefill: gpus("prefill", at), decode: gpus("decode", at) } };
    },
  };
}
