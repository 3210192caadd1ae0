import type { PlantRequest, PlantReplica, PlantSink, Plant, PlantRole, RequestRecord } from "../plant/plant.types.ts";
import type { Random } from "../random.ts";
import { emptyCounts, type Counts } from "./counts.ts";
import { clockSkew, reportsLost } from "./fault-script.ts";
import type { Fault } from "./faults.ts";
import { createNodes, ROUTER } from "./nodes.ts";

/** An agent reports once a second. All of them in the same instant: their phases would only blur the figures. */
export const REPORT_SECONDS = 1;

/** One node's report as the scaler gets it. */
export interface Report {
  readonly node: number;
  /** When it was made, by the node's own clock: ages are never reckoned from it. */
  readonly stamp: number;
  readonly receivedAt: number;
  /** Seconds the counts cover, by the agent's stopwatch. */
  readonly seconds: number;
  readonly counts: Counts;
  readonly replicas: readonly PlantReplica[];
  /** On the router's node: requests no replica has taken yet. */
  readonly unrouted: { readonly prefill: number; readonly decode: number } | undefined;
}

export interface AgentsSetup {
  readonly gpusPerReplica: (role: PlantRole) => number;
  readonly faults: readonly Fault[];
  /** Seconds from a report's instant until the scaler has folded it. */
  readonly delay: number;
  /** Share of reports that never arrive. */
  readonly loss: number;
  readonly random: Random;
  /** Told of every request that has finished, before its agent counts it. */
  readonly scored: (record: RequestRecord) => void;
}

export interface Agents {
  readonly sink: PlantSink;
  arrived(request: PlantRequest): void;
  /** When the agents report next. */
  next(): number;
  /** All agents report what they counted; the plant stands at `next()`. */
  report(plant: Plant): void;
  /** Reports that have arrived by `now` and were not taken yet, in order of arrival. */
  take(now: number): Report[];
}

/** The agents of all nodes: what happens on a node is counted there and reaches the scaler late, or never. */
export function createAgents(setup: AgentsSetup): Agents {
  const nodes = createNodes(setup.gpusPerReplica);
  const counting: Counts[] = [];
  let ticks = 1;
  let underway: Report[] = [];
  const on = (node: number): Counts => (counting[node] ??= emptyCounts());
  const at = (replica: number): Counts => on(nodes.of(replica));
  const skew = (replica: number): number => clockSkew(setup.faults, nodes.of(replica));
  const skewed = setup.faults.some((fault) => fault.kind === "clock-skew");

  // One literal, never a spread copy of one: engines keep a shape for it, and the plant's inner loop is compiled for that.
  const sink: PlantSink = {
    phase: (replica) => nodes.place(replica),
    gone: (replica) => nodes.release(replica),
    prefillPass(replica, pass) {
      const counts = at(replica);
      counts.batches.count += 1;
      counts.batches.tokens += pass.tokens;
      counts.batches.seconds += pass.seconds;
      for (const done of pass.finished) {
        counts.promptTokens += done.request.inputTokens;
        counts.cachedTokens += done.cachedTokens;
      }
    },
    transfer({ to, start, end, bytes, failed }) {
      const { transfer } = at(to);
      transfer.busySeconds += end - start;
      if (failed) transfer.failures += 1;
      else {
        transfer.transfers += 1;
        transfer.bytes += bytes;
      }
    },
    decodeSteps(replica, run) {
      const counts = at(replica);
      counts.steps.count += run.steps;
      counts.steps.seconds += run.steps * run.stepSeconds;
      counts.steps.sequences += run.steps * run.sequences;
      counts.steps.kvTokens += run.steps * run.kvTokens;
      counts.localTokens += run.promptTokens;
      counts.outputTokens += run.steps * run.sequences;
      counts.itl.push({ value: run.stepSeconds, weight: run.steps * run.sequences });
    },
    // The router stands where the user is: it sees first tokens come by.
    firstToken: (_replica, _request, _at, ttft) => void on(ROUTER).ttft.push(ttft),
    finished(record) {
      setup.scored(record);
      if (record.failed) return;
      const counts = at(record.decodeReplica);
      counts.finished += 1;
      counts.osl.push(record.request.outputTokens);
      // The prefill half starts at arrival by one clock, the decode half's first token is read from another.
      const apart = skewed ? skew(record.decodeReplica) - skew(record.prefillReplica) : 0;
      const ttft = record.firstToken - record.request.arrival + apart;
      // Halves that contradict each other are not stitched.
      if (ttft >= 0) counts.stitched.push({ age: ticks * REPORT_SECONDS - record.firstToken, ttft });
    },
  };

  return {
    sink,
    arrived(request) {
      const router = on(ROUTER);
      router.arrivals += 1;
      router.inputTokens += request.inputTokens;
      router.isl.push(request.inputTokens);
    },
    next: () => ticks * REPORT_SECONDS,
    report(plant) {
      const now = ticks * REPORT_SECONDS;
      ticks += 1;
      const cut = reportsLost(setup.faults, now);
      const views = plant.replicas();
      for (let node = 0; node < nodes.count; node += 1) {
        const counts = on(node);
        counting[node] = emptyCounts();
        // The draw comes first, so that an outage changes no other report's fate.
        const lost = setup.loss > 0 && setup.random() < setup.loss;
        if (lost || cut) continue;
        underway.push({
          node,
          stamp: now + clockSkew(setup.faults, node),
          receivedAt: now + setup.delay,
          seconds: REPORT_SECONDS,
          counts,
          replicas: views.filter((replica) => nodes.of(replica.id) === node),
          unrouted: node === ROUTER ? { prefill: plant.unrouted("prefill"), decode: plant.unrouted("decode") } : undefined,
        });
      }
    },
    take(now) {
      // The delay is the same for all, so that order of arrival is order of making.
      const later = underway.findIndex((report) => report.receivedAt > now);
      const arrived = later < 0 ? underway : underway.slice(0, later);
      underway = later < 0 ? [] : underway.slice(later);
      return arrived;
    },
  };
}
