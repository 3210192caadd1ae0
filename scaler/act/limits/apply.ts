import { err, ok, type Result } from "../../../core/result.ts";
import type { Decision } from "../../../core/decision.ts";
import type { KubeApi } from "../../kube/api.ts";
import type { Leadership } from "../../kube/lease.ts";
import type { Policy } from "../../policy/schema.ts";
import type { Action, PoolFacts } from "../actuator.ts";
import type { LivePool, Role } from "../kube-facts.ts";
import { isWorthIt, waits } from "./budget.ts";
import { findEngine } from "./engine-args.ts";
import { setLive, type EngineAddress } from "./live.ts";
import { readRollable, rollOut } from "./rollout.ts";

type Pools = Readonly<Record<Role, LivePool>>;

/** Brings batch limits to what was decided, by the means that the policy allows. */
export interface Limits {
  apply(policy: Policy, decision: Decision, pools: Pools, signal: AbortSignal): Promise<LimitResult>;
  /** What a pool's engines run with, as far as arguments and answers tell, and whether they take what the policy would set live. */
  inForce(policy: Policy, role: Role, pool: LivePool): PoolFacts["limits"];
  forget(): void;
}

export interface LimitResult {
  readonly actions: readonly Action[];
  /** Why a limit is not applied though the policy asks for it. */
  readonly refused: readonly string[];
}

export interface LimitDeps {
  readonly api: KubeApi;
  readonly leadership: Pick<Leadership, "fence">;
  /** Seconds since 1970. */
  readonly clock: () => number;
  /** The key that engines want, read anew; undefined = none is set. */
  readonly engineKey?: (() => Promise<Result<string | undefined, string>>) | undefined;
}

const ROLES = ["prefill", "decode"] as const;

interface Wanted {
  readonly name: string;
  readonly role: Role;
  readonly to: number;
  readonly apply: "live" | "rollout";
  /** The other pool is rolled out in this tick. */
  readonly rolled: boolean;
}

export function createLimits({ api, leadership, clock, engineKey }: LimitDeps): Limits {
  /** By policy, role and pod: a pod that is new has the engine's own limit again. */
  const told = new Map<string, ReadonlyMap<string, number>>();
  /** By policy and role: the last live limit was not taken by every engine. */
  const refusedLive = new Set<string>();

  async function live(
    name: string,
    role: Role,
    { facts, pods }: LivePool,
    to: number,
    signal: AbortSignal,
  ): Promise<Result<readonly Action[], string>> {
    const [first] = pods;
    if (first === undefined) return ok([]);
    const engine = findEngine(first.spec.containers, role);
    if (!engine.ok) return engine;
    const { name: what, knob, port, value } = engine.value;
    if (knob.live === undefined) return err(`${what} takes no limit while it runs; set batch.apply to rollout, or to recommend`);
    const key = `${name}/${role}`;
    const before = told.get(key) ?? new Map<string, number>();
    const ready = new Set(facts.replicas.filter((r) => r.phase === "ready").map((r) => r.pod));
    const engines = pods.flatMap(({ metadata, status }): readonly EngineAddress[] => {
      if (!ready.has(metadata.name) || before.get(metadata.name) === to || status.podIP === undefined) return [];
      const host = status.podIP.includes(":") ? `[${status.podIP}]` : status.podIP;
      return [{ pod: metadata.name, url: `http://${host}:${port}` }];
    });
    if (engines.length === 0) return ok([]);
    const secret = (await engineKey?.()) ?? ok(undefined);
    if (!secret.ok) return secret;
    const led = await leadership.fence(signal);
    if (!led.ok) return led;
    const done = await setLive(engines, { name: knob.live, value: to, key: secret.value }, signal);
    const known = new Map([...before].filter(([pod]) => ready.has(pod)));
    for (const pod of done.told) known.set(pod, to);
    told.set(key, known);
    if (done.error !== undefined) return err(`${done.error} (${done.told.length} of ${engines.length} took it)`);
    const [was] = before.values();
    return ok(was === to ? [] : [{ role, pool: facts.name, kind: "limit", from: was ?? value ?? null, to }]);
  }

  async function rollout(role: Role, pools: Pools, to: number, signal: AbortSignal): Promise<Result<readonly Action[], string>> {
    const own = await readRollable(api, pools[role].target, role, signal);
    if (!own.ok) return own;
    const { value } = own.value.engine;
    if (!isWorthIt(value, to)) return ok([]);
    const other = role === "prefill" ? "decode" : "prefill";
    const others = await readRollable(api, pools[other].target, other, signal);
    const last = Math.max(own.value.rolledAt ?? -Infinity, others.ok ? (others.value.rolledAt ?? -Infinity) : -Infinity);
    const waiting = waits({
      ...{ now: clock(), last: Number.isFinite(last) ? last : undefined },
      ready: ROLES.reduce((sum, r) => sum + pools[r].facts.replicas.filter((x) => x.phase === "ready").length, 0),
      wanted: ROLES.reduce((sum, r) => sum + pools[r].facts.desired, 0),
    });
    if (waiting !== undefined) return err(`to be rolled out: ${waiting}`);
    const led = await leadership.fence(signal);
    if (!led.ok) return led;
    const done = await rollOut(api, own.value, to, clock(), signal);
    if (!done.ok) return done;
    return ok([{ role, pool: pools[role].facts.name, kind: "limit", from: value ?? null, to }]);
  }

  async function bring(wanted: Wanted, pools: Pools, signal: AbortSignal): Promise<Result<readonly Action[], string>> {
    const { name, role, to } = wanted;
    if (wanted.apply === "live") {
      const done = await live(name, role, pools[role], to, signal);
      if (done.ok) refusedLive.delete(`${name}/${role}`);
      else refusedLive.add(`${name}/${role}`);
      return done;
    }
    // Restarting both pools at once would leave neither whole.
    return wanted.rolled ? err("to be rolled out: the other pool goes first") : rollout(role, pools, to, signal);
  }

  return {
    async apply(policy, decision, pools, signal) {
      const actions: Action[] = [];
      const refused: string[] = [];
      let rolled = false;
      const name = nameOf(policy);
      for (const role of ROLES) {
        const { apply } = policy.spec.pools[role].batch;
        const to = wantedLimit(decision, role);
        if (apply === "recommend" || to === undefined) continue;
        const done = await bring({ name, role, to, apply, rolled }, pools, signal);
        if (done.ok && apply === "rollout") rolled ||= done.value.length > 0;
        if (done.ok) actions.push(...done.value);
        else refused.push(`${role} pool ${pools[role].facts.name}: batch limit ${to} is not applied: ${done.error}`);
      }
      return { actions, refused };
    },
    inForce(policy, role, { facts, pods }) {
      const key = `${nameOf(policy)}/${role}`;
      const ready = new Set(facts.replicas.filter((r) => r.phase === "ready").map((r) => r.pod));
      const known = told.get(key);
      let takesLive = !refusedLive.has(key);
      const values = pods
        .filter(({ metadata }) => ready.has(metadata.name))
        .map(({ metadata, spec }) => {
          const engine = findEngine(spec.containers, role);
          takesLive &&= engine.ok && engine.value.knob.live !== undefined;
          return known?.get(metadata.name) ?? (engine.ok ? engine.value.value : undefined);
        });
      const [value = 0] = values;
      // Between two limits there is none that all run with; SGLang's -1 is none at all.
      const common = value > 0 && values.every((one) => one === value) ? value : undefined;
      return {
        ...(common === undefined ? {} : role === "prefill" ? { maxBatchedTokens: common } : { maxNumSeqs: common }),
        ...(policy.spec.pools[role].batch.apply === "live" && !takesLive ? { fixed: true } : {}),
      };
    },
    forget() {
      told.clear();
      refusedLive.clear();
    },
  };
}

const nameOf = ({ metadata }: Policy): string => `${metadata.namespace}/${metadata.name}`;

const wantedLimit = ({ pools }: Decision, role: Role): number | undefined =>
  role === "prefill" ? pools.prefill.limits?.maxBatchedTokens : pools.decode.limits?.maxNumSeqs;
