import type { Observation, ReplicaCounts } from "../../core/observation.ts";
import type { Plant, PlantReplica, PlantRequest, PlantRole, PlantSink, RequestRecord } from "../plant/plant.types.ts";
import { createRandom } from "../random.ts";
import { createAgents } from "./agents.ts";
import { readGauges } from "./gauges.ts";
import { createInbox } from "./inbox.ts";
import { observeDecode, observePrefill, observeTransfer } from "./observe.ts";
import type { BacktestSetup } from "./setup.ts";

export interface Limits {
  readonly maxBatchedTokens: number;
  readonly maxNumSeqs: number;
}

/** The way from the plant to a controller, as production has it: agents count and report, the scaler folds what arrived. */
export interface Recorder {
  readonly sink: PlantSink;
  arrived(request: PlantRequest): void;
  /** When the agents report next, and the reporting; the plant stands there. */
  nextReport(): number;
  report(plant: Plant): void;
  /** The observation at `at`: replica counts from the cluster itself, everything else from reports that have arrived. */
  observe(plant: Plant, at: number, limits: Limits): Observation;
}

/** From a report's instant until it is folded: half a second of scraping and sketching, a second of network and queues. */
export const REPORT_DELAY = 1.5;

/** Another stream than the router's ties, so that losing reports does not change how requests are routed. */
const LOSS_SEED = 0x5eed;

export function createRecorder(setup: BacktestSetup, scored: (record: RequestRecord) => void): Recorder {
  const { spec } = setup.policy;
  const { evidence, interval } = spec.behavior;
  const agents = createAgents({
    gpusPerReplica: (role) => spec.pools[role].gpusPerReplica,
    faults: setup.faults,
    delay: setup.reportDelay ?? REPORT_DELAY,
    loss: setup.reportLoss ?? 0,
    random: createRandom(setup.seed ^ LOSS_SEED),
    scored,
  });
  const inbox = createInbox();
  return {
    sink: agents.sink,
    arrived: agents.arrived,
    nextReport: agents.next,
    report: agents.report,
    observe(plant, at, limits) {
      inbox.add(agents.take(at));
      const collected = inbox.close(at, interval);
      const cluster = plant.replicas();
      const gauges = readGauges(inbox.latest(at), cluster, evidence.maxAge);
      const unschedulable = plant.unschedulable("prefill") + plant.unschedulable("decode");
      const transfer = observeTransfer(collected, gauges);
      return {
        type: "observation",
        at,
        pools: {
          prefill: {
            replicas: countReplicas(cluster, "prefill", at),
            limits: { maxBatchedTokens: limits.maxBatchedTokens },
            ...observePrefill(collected, gauges, spec.objectives.ttft?.target, setup.ttftFrom ?? "router"),
          },
          decode: {
            replicas: countReplicas(cluster, "decode", at),
            limits: { maxNumSeqs: limits.maxNumSeqs },
            ...observeDecode(collected, gauges, setup.prior.kvCapacityTokens, spec.objectives.itl?.target),
          },
        },
        ...(transfer === undefined ? {} : { transfer }),
        ...(unschedulable > 0 ? { unschedulable } : {}),
      };
    },
  };
}

/** A replica that switches role counts where it is going, as starting: it is paid for and will serve there. */
function countReplicas(replicas: readonly PlantReplica[], role: PlantRole, at: number): ReplicaCounts {
  const pool = replicas.filter((replica) => replica.role === role);
  const joining = replicas.flatMap(({ becomes }) => (becomes?.role === role ? [{ age: at - becomes.at }] : []));
  return {
    ready: pool.filter((replica) => replica.phase === "ready").length,
    starting: [...pool.filter(({ phase }) => phase === "starting").map(({ createdAt }) => ({ age: at - createdAt })), ...joining],
    draining: pool.filter((replica) => replica.phase === "draining" && replica.becomes === undefined).length,
  };
}
