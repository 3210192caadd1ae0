import type { Log } from "../log.ts";
import type { Policy } from "../policy/schema.ts";
import type { Action, ClusterFacts, PoolFacts, Progress } from "./actuator.ts";
import type { Role } from "./kube-facts.ts";
import { givenUp, outcomeOf, withoutStuck, type Growth } from "./progress.ts";

interface Seen {
  readonly facts: PoolFacts;
  readonly troubles: readonly string[];
}

/** Follows new replicas from the write until they are ready, given up, or no longer wanted. */
export interface Follower {
  grown(policy: string, action: Action, at: number): void;
  /** The facts as decisions are to see them, with what has become of growth since the last look. */
  look(policy: Policy, name: string, live: { readonly prefill: Seen; readonly decode: Seen }, now: number): ClusterFacts;
  /** Whoever does not lead follows nothing. */
  forget(): void;
}

export function createFollower(log: Log): Follower {
  const growths = new Map<string, Growth>();

  function outcome(policy: Policy, name: string, role: Role, { facts, troubles }: Seen, now: number) {
    const key = `${name}/${role}`;
    const growth = growths.get(key);
    if (growth === undefined) return { facts, news: [] };
    const became = outcomeOf(growth, facts, troubles, policy, now);
    if (became === "ready" || became === "superseded") growths.delete(key);
    else growths.set(key, { ...growth, told: became });
    const news: Progress[] = [];
    if (became !== growth.told) {
      const { pool, to } = growth.action;
      const told: Progress = { role, pool, to, outcome: became, seconds: now - growth.at, troubles };
      news.push(told);
      if (became === "unschedulable" || givenUp(became)) log.warn({ policy: name, ...told }, "act: new replicas do not come up");
      else log.info({ policy: name, ...told }, "act: new replicas");
    }
    return { facts: givenUp(became) ? withoutStuck(facts) : facts, news };
  }

  return {
    grown: (policy, action, at) => void growths.set(`${policy}/${action.role}`, { action, at, told: "starting" }),
    look(policy, name, live, now) {
      const prefill = outcome(policy, name, "prefill", live.prefill, now);
      const decode = outcome(policy, name, "decode", live.decode, now);
      const progress = [...prefill.news, ...decode.news];
      const facts = { prefill: prefill.facts, decode: decode.facts, gpus: undefined };
      return progress.length === 0 ? facts : { ...facts, progress };
    },
    forget: () => growths.clear(),
  };
}
