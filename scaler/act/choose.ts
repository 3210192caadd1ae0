import type { KubeApi } from "../kube/api.ts";
import { choosesByCost, clearMarks, isMarkable, leftMarked, markVictims } from "../kube/deletion-cost.ts";
import type { Leadership } from "../kube/lease.ts";
import type { Log } from "../log.ts";
import type { PodHealths } from "./actuator.ts";
import type { LivePool } from "./kube-facts.ts";
import { rankVictims } from "./victims.ts";

/** Says which replicas of a Deployment go, before it shrinks. */
export interface Chooser {
  /** Marks as many as go; the names of those it marked. Failing to is no reason not to shrink: then the cluster chooses. */
  mark(live: LivePool, to: number, health: PodHealths, signal: AbortSignal): Promise<readonly string[]>;
  clear(live: LivePool, pods: readonly string[], signal: AbortSignal): Promise<void>;
  /** Clears marks of pods that were not taken after all, whoever set them. */
  tidy(live: LivePool, signal: AbortSignal): Promise<void>;
}

export function createChooser(api: KubeApi, leadership: Pick<Leadership, "fence">, log: Log): Chooser {
  let refused: string | undefined;

  /** Once, not at every shrink. */
  function tell(error: string | undefined): void {
    if (error !== undefined && refused === undefined) {
      log.warn({ error }, "act: which replicas go cannot be chosen (deploy/components/choose-victims grants it): the cluster chooses");
    }
    refused = error;
  }

  async function clear({ target }: LivePool, pods: readonly string[], signal: AbortSignal): Promise<void> {
    if (pods.length === 0) return;
    const done = await clearMarks(api, target.namespace, pods, signal);
    if (!done.ok) tell(done.error);
  }

  return {
    async mark({ target, facts, pods }, to, health, signal) {
      if (!choosesByCost(target)) return [];
      const markable = new Set(pods.filter(isMarkable).map((pod) => pod.metadata.name));
      const living = facts.replicas.filter((r) => r.phase !== "draining");
      // Those that are not ready, or have no node, go before any that is.
      const ready = living.filter((r) => r.phase === "ready");
      const go = facts.desired - to - (living.length - ready.length) - facts.unschedulable;
      const unknown = { faulty: false, throttled: false, running: undefined };
      const candidates = ready.filter((r) => markable.has(r.pod)).map(({ pod, age }) => ({ pod, age, ...(health.get(pod) ?? unknown) }));
      const chosen = rankVictims(candidates)
        .slice(0, Math.max(0, go))
        .map(({ pod }) => pod);
      if (chosen.length === 0) return [];
      const led = await leadership.fence(signal);
      if (!led.ok) return [];
      const done = await markVictims(api, target.namespace, chosen, signal);
      tell(done.ok ? undefined : done.error);
      return done.ok ? chosen : [];
    },
    clear,
    async tidy(live, signal) {
      if (choosesByCost(live.target)) await clear(live, leftMarked(live.pods, live.facts.desired), signal);
    },
  };
}
