import type { NodeReport } from "../../wire/messages.ts";
import type { PageLeader, PageState, PolicyProblemNote } from "../../wire/page.ts";
import { emptyFleet, type FleetView } from "../intake/fleet-view.ts";
import { fold, foldedSeq, forget, setConnected } from "../intake/fold.ts";
import { isPool } from "../intake/select.ts";
import { createStitcher, type Stitched } from "../intake/stitch.ts";
import type { StartRecord } from "../journal/records.ts";
import { policyName } from "../journal/records.ts";
import type { Log } from "../log.ts";
import type { Policy } from "../policy/schema.ts";
import { VERSION } from "../version.ts";
import { policyState } from "./frame.ts";
import type { Runner } from "./runner.ts";
import { createTtftBreakdown, type TtftBreakdown } from "./ttft-breakdown.ts";

/** The scaler apart from its sockets: the fleet view, and one runner per policy. */
export interface Scaler {
  /** False when it was folded before. */
  report(report: NodeReport): boolean;
  foldedSeq(node: string, boot: string): number;
  connected(node: string, connected: boolean): void;
  /** Starts, restarts and stops runners so that exactly these policies run. */
  setPolicies(policies: readonly Policy[]): Promise<void>;
  /** This process may act from now on: every policy goes on as after a restart. */
  takeOver(): void;
  fleet(): FleetView;
  runners(): readonly Runner[];
  state(): PageState;
  stitching(): {
    readonly counts: ReturnType<ReturnType<typeof createStitcher>["counts"]>;
    readonly breakdown: ReadonlyMap<string, TtftBreakdown>;
  };
  starts(): readonly StartRecord[];
  stop(): Promise<void>;
}

export interface ScalerDeps {
  readonly startRunner: (name: string, policy: Policy) => Runner;
  readonly clock: () => number;
  readonly log: Log;
  readonly onFolded: (node: string) => void;
  readonly onStitched: () => void;
  readonly onDropped: (policy: Policy) => void;
  readonly leader: () => PageLeader | null;
  readonly problems: () => readonly PolicyProblemNote[];
}

export function createScaler(deps: ScalerDeps): Scaler {
  const { clock, log } = deps;
  const runners = new Map<string, Runner>();
  const breakdown = new Map<string, TtftBreakdown>();
  const stitcher = createStitcher();
  let fleet = emptyFleet;
  // One change of policies at a time: a runner must have stopped before its successor starts.
  let changing: Promise<void> = Promise.resolve();

  function stitched(request: Stitched): void {
    deps.onStitched();
    for (const runner of runners.values()) {
      if (!takes(runner.policy, request)) continue;
      runner.stitched(request);
      breakdown.get(runner.name)?.add(request);
    }
  }

  async function stopRunner(name: string, runner: Runner): Promise<void> {
    runners.delete(name);
    await runner.stop();
    deps.onDropped(runner.policy);
  }

  async function change(policies: readonly Policy[]): Promise<void> {
    const wanted = new Map(policies.map((policy) => [policyName(policy), policy]));
    for (const [name, runner] of runners) {
      const policy = wanted.get(name);
      if (policy !== undefined && JSON.stringify(policy) === JSON.stringify(runner.policy)) continue;
      await stopRunner(name, runner);
      log.info({ policy: name }, policy === undefined ? "policy: stopped" : "policy: changed");
    }
    for (const [name, policy] of wanted) {
      if (runners.has(name)) continue;
      if (!breakdown.has(name)) breakdown.set(name, createTtftBreakdown());
      runners.set(name, deps.startRunner(name, policy));
      log.info({ policy: name, mode: policy.spec.mode }, "policy: running");
    }
    for (const name of breakdown.keys()) if (!runners.has(name)) breakdown.delete(name);
  }

  return {
    report(report) {
      const now = clock();
      const folded = fold(fleet, report, now);
      if (!folded.fresh) return false;
      fleet = forget(folded.fleet, now);
      deps.onFolded(report.node);
      for (const runner of runners.values()) runner.report(report);
      for (const half of report.requests) {
        const joined = stitcher.add(half, report.at, now);
        if (joined !== undefined) stitched(joined);
      }
      return true;
    },
    foldedSeq: (node, boot) => foldedSeq(fleet, node, boot),
    connected: (node, connected) => (fleet = setConnected(fleet, node, connected, clock())),
    setPolicies(policies) {
      changing = changing.then(() => change(policies));
      return changing;
    },
    takeOver() {
      for (const runner of runners.values()) runner.takeOver();
    },
    fleet: () => fleet,
    runners: () => [...runners.values()],
    state: () => ({ ...pageState(fleet, [...runners.values()], clock()), leader: deps.leader(), problems: deps.problems() }),
    stitching: () => ({ counts: stitcher.counts(), breakdown }),
    starts: () => [...runners.values()].map((runner) => runner.startRecord()),
    async stop() {
      await changing;
      await Promise.all([...runners.values()].map((runner) => runner.stop()));
    },
  };
}

const takes = (policy: Policy, request: Stitched): boolean =>
  request.namespace === policy.metadata.namespace &&
  isPool(policy, "decode", { namespace: request.namespace, pool: request.decodePool, role: "decode", model: policy.spec.model ?? "" });

function pageState(fleet: FleetView, runners: readonly Runner[], now: number): Omit<PageState, "leader" | "problems"> {
  return {
    at: now,
    version: VERSION,
    policies: runners.map((runner) => policyState(runner.name, runner.policy, runner.last())),
    agents: [...fleet.nodes.values()].map(({ node, connected, receivedAt, reports }) => ({
      node,
      connected,
      age: Math.max(0, now - receivedAt),
      reports,
    })),
  };
}
