import { inForce, type Overrides } from "../../core/override.ts";
import type { NodeReport } from "../../wire/messages.ts";
import type { PageLeader, PageState, PolicyProblemNote } from "../../wire/page.ts";
import { emptyFleet, type FleetView } from "../intake/fleet-view.ts";
import { fold, foldedSeq, forget, setConnected } from "../intake/fold.ts";
import { createLinkMatrix, type LinkMatrix, type LinkView } from "../intake/link-matrix.ts";
import type { LinkTallies } from "../intake/link-tally.ts";
import { belongs, isPool } from "../intake/select.ts";
import { createStitcher, type Stitched } from "../intake/stitch.ts";
import type { StartRecord } from "../journal/records.ts";
import { policyName } from "../journal/records.ts";
import type { Log } from "../log.ts";
import type { Policy } from "../policy/schema.ts";
import { VERSION } from "../version.ts";
import { policyState } from "./frame.ts";
import { noticesOf, pageLinks } from "./links.ts";
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
  /** A stitched request of this policy. */
  readonly onExplained: (policy: Policy, request: Stitched) => void;
  /** A window of the policy's KV transfers has closed. */
  readonly onLinks: (policy: Policy, closed: LinkTallies, view: LinkView) => void;
  readonly onDropped: (policy: Policy) => void;
  readonly leader: () => PageLeader | null;
  readonly problems: () => readonly PolicyProblemNote[];
  /** What operators have said about modes. */
  readonly overrides: () => Overrides;
}

export function createScaler(deps: ScalerDeps): Scaler {
  const { clock, log } = deps;
  const runners = new Map<string, Runner>();
  const breakdown = new Map<string, TtftBreakdown>();
  const matrices = new Map<string, LinkMatrix>();
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
      matrices.get(runner.name)?.add(request);
      deps.onExplained(runner.policy, request);
    }
  }

  function noteLinks({ name, policy }: Runner, report: NodeReport, now: number): void {
    const matrix = matrices.get(name);
    if (matrix === undefined) return;
    for (const pool of report.pools) if (belongs(policy, pool)) matrix.report(report.node, pool);
    const closed = matrix.turn(now);
    if (closed !== undefined) deps.onLinks(policy, closed, matrix.view());
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
      if (!matrices.has(name)) matrices.set(name, createLinkMatrix(clock()));
      runners.set(name, deps.startRunner(name, policy));
      log.info({ policy: name, mode: policy.spec.mode }, "policy: running");
    }
    for (const kept of [breakdown, matrices]) for (const name of kept.keys()) if (!runners.has(name)) kept.delete(name);
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
        const joined = stitcher.add(half, report.node, report.at, now);
        if (joined !== undefined) stitched(joined);
      }
      for (const runner of runners.values()) noteLinks(runner, report, now);
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
    state: () => ({
      ...pageState(fleet, [...runners.values()], matrices, deps.overrides(), clock()),
      leader: deps.leader(),
      problems: deps.problems(),
    }),
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

function pageState(
  fleet: FleetView,
  runners: readonly Runner[],
  matrices: ReadonlyMap<string, LinkMatrix>,
  overrides: Overrides,
  now: number,
): Omit<PageState, "leader" | "problems"> {
  const views = new Map([...matrices].map(([name, matrix]) => [name, matrix.view()]));
  return {
    links: [...views].map(([name, view]) => pageLinks(name, view)),
    notices: noticesOf(fleet, views, now),
    at: now,
    version: VERSION,
    policies: runners.map(({ name, policy, last }) => policyState(name, policy, inForce(overrides, name, policy.spec.mode, now), last())),
    agents: [...fleet.nodes.values()].map(({ node, connected, receivedAt, reports }) => ({
      node,
      connected,
      age: Math.max(0, now - receivedAt),
      reports,
    })),
  };
}
