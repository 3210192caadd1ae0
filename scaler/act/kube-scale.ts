import type { Decision } from "../../core/decision.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { KubeApi } from "../kube/api.ts";
import { createDiscovery } from "../kube/discovery.ts";
import { drainProblem } from "../kube/drain.ts";
import type { Leadership } from "../kube/lease.ts";
import { createPodWatch } from "../kube/pod-watch.ts";
import { rival } from "../kube/rivals.ts";
import { writeCount } from "../kube/count.ts";
import { targetName } from "../kube/target.ts";
import type { Log } from "../log.ts";
import type { Policy } from "../policy/schema.ts";
import type { Action, ActResult, Actuator, ClusterFacts, PodHealths } from "./actuator.ts";
import { createChooser } from "./choose.ts";
import { createFollower } from "./follow.ts";
import { createLimits } from "./limits/apply.ts";
import { readEngineKey } from "./limits/engine-key.ts";
import { livePool, type LivePool, type Role } from "./kube-facts.ts";
import { orderWrites } from "./order.ts";
import { movedOn, notActing } from "./validate.ts";
import { planWrites } from "./writes.ts";

export interface KubeScaleDeps {
  readonly api: KubeApi;
  readonly leadership: Pick<Leadership, "standing" | "holder" | "fence">;
  /** Seconds since 1970. */
  readonly clock: () => number;
  readonly log: Log;
  /** File of the key that engines want for live limits. */
  readonly engineKeyFile?: string | undefined;
}

interface Live {
  readonly prefill: LivePool;
  readonly decode: LivePool;
}

/** A conversion whose first half is done: the other pool grows when the GPUs are let go. */
interface Half {
  readonly shrunk: Action;
  readonly growing: Role;
  readonly at: number;
}

/** Seconds after which the halves of a conversion are no longer one: a drain that takes longer has a cause of its own. */
const HALF_LIFE = 900;

/** Scales everything with a scale subresource, found through discovery: a policy's targets are named, not known. */
export function createKubeActuator({ api, leadership, clock, log, engineKeyFile }: KubeScaleDeps): Actuator & { stop(): void } {
  const podWatch = createPodWatch(api, clock, log);
  const sources = { api, discovery: createDiscovery(api, clock), podWatch, clock };
  const halves = new Map<string, Half>();
  const latest = new Map<string, Live>();
  const follower = createFollower(log);
  const chooser = createChooser(api, leadership, log);
  const limits = createLimits({
    api,
    leadership,
    clock,
    engineKey: engineKeyFile === undefined ? undefined : () => readEngineKey(engineKeyFile),
  });

  async function look(policy: Policy, signal: AbortSignal): Promise<Result<Live, string>> {
    const [prefill, decode] = await Promise.all([
      livePool(sources, policy, "prefill", signal),
      livePool(sources, policy, "decode", signal),
    ]);
    if (!prefill.ok) return prefill;
    if (!decode.ok) return decode;
    if (targetName(prefill.value.target) === targetName(decode.value.target)) {
      return err(`prefill and decode target the same ${targetName(prefill.value.target)}; name one of each`);
    }
    return ok({ prefill: prefill.value, decode: decode.value });
  }

  async function write(live: Live, step: Action, signal: AbortSignal, health: PodHealths = UNKNOWN): Promise<Result<undefined, string>> {
    const { target, count } = live[step.role];
    const other = await rival(api, target, signal);
    if (!other.ok) return other;
    if (other.value !== undefined) return err(other.value);
    const marked = step.to < count.replicas ? await chooser.mark(live[step.role], step.to, health, signal) : [];
    const done = await writeCount(api, { target, from: count, to: step.to }, leadership.fence, signal);
    if (!done.ok) await chooser.clear(live[step.role], marked, signal);
    return done;
  }

  /** Growth of a conversion failed: the pool that shrank for it gets its replicas back, if nobody scaled it since. */
  async function rollBack(
    policy: Policy,
    { shrunk }: Half,
    signal: AbortSignal,
  ): Promise<{ readonly action?: Action; readonly text: string }> {
    halves.delete(nameOf(policy));
    const back: Action = { ...shrunk, from: shrunk.to, to: shrunk.from ?? 0 };
    const done = await restore(policy, shrunk, back, signal);
    const pool = `${shrunk.role} pool ${shrunk.pool}`;
    return done.ok
      ? { action: back, text: `${pool} was set back to ${back.to}` }
      : { text: `${pool} could not be set back to ${back.to}: ${done.error}` };
  }

  async function restore(policy: Policy, shrunk: Action, back: Action, signal: AbortSignal): Promise<Result<undefined, string>> {
    const live = await look(policy, signal);
    if (!live.ok) return live;
    if (live.value[shrunk.role].facts.desired !== shrunk.to) return err("somebody scaled it since");
    // What drains still holds its GPUs: then it is for the next decision to grow it again, when they are let go.
    const { waiting, refused } = orderWrites(policy, [back], factsOf(live.value));
    const against = refused ?? waiting?.text;
    return against === undefined ? write(live.value, back, signal) : err(against);
  }

  interface Performed {
    readonly policy: Policy;
    readonly live: Live;
    readonly wanted: readonly Action[];
    readonly health: PodHealths;
  }

  async function perform({ policy, live, wanted, health }: Performed, signal: AbortSignal): Promise<ActResult> {
    const name = nameOf(policy);
    const { steps, waiting, refused } = orderWrites(policy, wanted, factsOf(live));
    if (refused !== undefined) return { outcome: "failed", actions: [], error: refused };
    const actions: Action[] = [];
    let half = current(name);
    for (const step of steps) {
      const grows = step.to > (step.from ?? 0);
      const done = await write(live, step, signal, health);
      if (!done.ok) {
        const undone = half !== undefined && grows && step.role === half.growing ? await rollBack(policy, half, signal) : undefined;
        if (undone?.action !== undefined) actions.push(undone.action);
        const error = undone === undefined ? done.error : `${done.error}; ${undone.text}`;
        return { outcome: "failed", actions, failedRole: step.role, error };
      }
      actions.push(step);
      if (grows) {
        follower.grown(name, step, clock());
        if (half?.growing === step.role && waiting === undefined) halves.delete(name);
      } else {
        const partner = wanted.find((w) => w.role !== step.role && w.to > (w.from ?? 0));
        if (partner !== undefined) half = { shrunk: step, growing: partner.role, at: clock() };
      }
    }
    if (half !== undefined && waiting?.role === half.growing) halves.set(name, half);
    const outcome = actions.length > 0 ? "applied" : waiting === undefined ? "unchanged" : "held";
    return { outcome, actions, ...(waiting === undefined ? {} : { error: waiting.text }) };
  }

  /** Batch limits, when counts are as they should be: engines are restarted for the one after the other. */
  async function limit(policy: Policy, decision: Decision, live: Live, signal: AbortSignal): Promise<ActResult> {
    const { actions, refused } = await limits.apply(policy, decision, live, signal);
    const outcome = actions.length > 0 ? "applied" : refused.length > 0 ? "held" : "unchanged";
    return { outcome, actions, ...(refused.length > 0 && { error: refused.join("; ") }) };
  }

  function current(name: string): Half | undefined {
    const half = halves.get(name);
    if (half === undefined || clock() - half.at <= HALF_LIFE) return half;
    halves.delete(name);
    return undefined;
  }

  return {
    async facts(policy, signal) {
      const live = await look(policy, signal);
      if (!live.ok) return live;
      latest.set(nameOf(policy), live.value);
      const followed = follower.look(policy, nameOf(policy), live.value, clock());
      const seen = {
        ...followed,
        prefill: { ...followed.prefill, limits: limits.inForce(policy, "prefill", live.value.prefill) },
        decode: { ...followed.decode, limits: limits.inForce(policy, "decode", live.value.decode) },
      };
      const problem = drainProblem(live.value.prefill.pods);
      return ok(problem === undefined ? seen : { ...seen, warnings: [problem] });
    },
    async apply(policy, decision, seen, signal, health = UNKNOWN) {
      const held = notActing(policy, decision);
      if (held !== undefined) return held;
      if (leadership.standing() !== "leading") {
        halves.clear();
        follower.forget();
        limits.forget();
        return { outcome: "held", actions: [], error: bystanding(leadership) };
      }
      const last = latest.get(nameOf(policy));
      if (last !== undefined) for (const pool of [last.prefill, last.decode]) await chooser.tidy(pool, signal);
      if (!planWrites(policy, decision, seen).some((w) => w.kind === "replicas")) {
        halves.delete(nameOf(policy));
        return last === undefined ? { outcome: "unchanged", actions: [] } : limit(policy, decision, last, signal);
      }
      // Looked at again: what was decided must be about the cluster as it is.
      const live = await look(policy, signal);
      if (!live.ok) return { outcome: "failed", actions: [], error: live.error };
      const moved = movedOn(seen, factsOf(live.value));
      if (moved !== undefined) return { outcome: "failed", actions: [], error: moved };
      return perform({ policy, live: live.value, wanted: planWrites(policy, decision, factsOf(live.value)), health }, signal);
    },
    stop: () => podWatch.stop(),
  };
}

const bystanding = ({ standing, holder }: KubeScaleDeps["leadership"]): string =>
  standing() === "standby" ? `standing by: ${holder() ?? "another one"} leads` : "the lease cannot be read or renewed, so nobody may act";

const UNKNOWN: PodHealths = new Map();

const nameOf = ({ metadata }: Policy): string => `${metadata.namespace}/${metadata.name}`;

/** How many GPUs the cluster has is not asked: the policy's budget is the bound, and the scheduler has the last word. */
const factsOf = (live: Live): ClusterFacts => ({ prefill: live.prefill.facts, decode: live.decode.facts, gpus: undefined });
