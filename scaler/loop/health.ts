import type { NodeReport } from "../../wire/messages.ts";
import { sortedNodes, type FleetView } from "../intake/fleet-view.ts";

/** What agents say of the GPUs and the load of a pod. */
export interface PodHealth {
  readonly faulty: boolean;
  readonly throttled: boolean;
  /** Requests it runs; undefined = nobody says. */
  readonly running: number | undefined;
}

/** Of one namespace's pods, by name. */
export type Health = ReadonlyMap<string, PodHealth>;

/**
 * XIDs after which the driver's documentation asks for a restart, a reset or a repair of the GPU, rather than of the application.
 */
const FATAL_XIDS = new Set([48, 62, 63, 64, 74, 79, 92, 95, 119, 120, 140, 143]);
/** Seconds for which a fatal XID is held against a pod: it is told once, in the report of the interval in which it happened. */
const REMEMBERED = 3600;
const MAX_REMEMBERED = 2000;
/** Share of an interval spent throttled from which a GPU counts as throttled. */
const THROTTLED = 0.1;

export interface HealthWatch {
  report(report: NodeReport, at: number): void;
  of(fleet: FleetView, namespace: string, now: number, maxAge: number): Health;
}

export function createHealthWatch(): HealthWatch {
  const fatal = new Map<string, number>();
  return {
    report({ gpus }, at) {
      for (const { pod, xid = [] } of gpus) {
        if (pod === undefined || !xid.some((x) => FATAL_XIDS.has(x.xid) && x.count > 0)) continue;
        fatal.delete(pod);
        fatal.set(pod, at);
      }
      for (const [pod, told] of fatal) if (at - told > REMEMBERED || fatal.size > MAX_REMEMBERED) fatal.delete(pod);
    },
    of(fleet, namespace, now, maxAge) {
      const found = new Map<string, PodHealth>();
      const add = (pod: string, more: Partial<PodHealth>): void => {
        const had = found.get(pod) ?? { faulty: (fatal.get(pod) ?? -Infinity) >= now - REMEMBERED, throttled: false, running: undefined };
        found.set(pod, {
          faulty: had.faulty || more.faulty === true,
          throttled: had.throttled || more.throttled === true,
          running: more.running ?? had.running,
        });
      };
      for (const { latest, receivedAt } of sortedNodes(fleet)) {
        if (latest === undefined) continue;
        const age = Math.max(0, now - receivedAt);
        for (const { pod, age: sampled, throttleSeconds = 0, remappedRows } of latest.gpus) {
          if (pod === undefined || age + sampled > maxAge) continue;
          const throttled = throttleSeconds > THROTTLED * latest.interval;
          add(pod, { faulty: remappedRows?.failed === true || remappedRows?.pending === true, throttled });
        }
        for (const pool of latest.pools.filter((p) => p.namespace === namespace))
          for (const { pod, sampleAge = Infinity, gauges } of pool.replicas)
            if (age + sampleAge <= maxAge && gauges.running !== undefined) add(pod, { running: gauges.running });
      }
      return found;
    },
  };
}
