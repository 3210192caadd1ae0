import type { KubeApiServer } from "./server.ts";
import type { Fields, KubeObject } from "./store.ts";

export interface KubeletOptions {
  /** Milliseconds from a pod's binding until it is ready. */
  readonly readyAfter?: number;
  /** Milliseconds that a pod which is asked to end still runs, never longer than its grace period. */
  readonly endsAfter?: number;
  /** Pods that nodes can hold. */
  readonly capacity?: () => number;
}

/** Scheduler and kubelet in small: binds pods that fit, makes them ready, ends those that are asked to. */
export function startKubelet({ store }: KubeApiServer, options: KubeletOptions = {}): { stop(): void; retry(): void } {
  const timers = new Set<NodeJS.Timeout>();
  const later = (ms: number, run: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      run();
    }, ms);
    timers.add(timer);
  };
  const pods = (): readonly KubeObject[] => store.list("pods.", "");
  const bound = (pod: KubeObject): boolean => pod.spec?.["nodeName"] !== undefined;
  const setStatus = ({ metadata }: KubeObject, status: Fields, spec: Fields = {}): void => {
    if (store.get("pods.", metadata.namespace, metadata.name) === undefined) return;
    store.update("pods.", metadata.namespace, metadata.name, (p) => ({
      ...p,
      spec: { ...p.spec, ...spec },
      status: { ...p.status, ...status },
    }));
  };

  function schedule(pod: KubeObject): void {
    const wants = Object.keys((pod.spec?.["nodeSelector"] as Fields | undefined) ?? {});
    const full = pods().filter(bound).length >= (options.capacity?.() ?? Number.POSITIVE_INFINITY);
    if (wants.length > 0 || full) {
      const message = full ? "0/1 nodes are available: insufficient nvidia.com/gpu" : "0/1 nodes match the pod's node selector";
      setStatus(pod, { phase: "Pending", conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message }] });
      return;
    }
    setStatus(pod, { phase: "Pending", conditions: [{ type: "PodScheduled", status: "True" }] }, { nodeName: "node-a" });
    later(options.readyAfter ?? 0, () =>
      setStatus(pod, {
        phase: "Running",
        conditions: [
          { type: "PodScheduled", status: "True" },
          { type: "Ready", status: "True" },
        ],
      }),
    );
  }

  function end({ metadata }: KubeObject): void {
    const grace = Number(metadata["deletionGracePeriodSeconds"] ?? 0) * 1000;
    later(Math.min(grace, options.endsAfter ?? 0), () => store.delete("pods.", metadata.namespace, metadata.name));
  }

  const retry = (): void => {
    for (const pod of pods()) if (!bound(pod) && pod.metadata["deletionTimestamp"] === undefined) schedule(pod);
  };

  const ending = new Set<unknown>();
  const stop = store.listen(({ type, resource, object }) => {
    if (resource !== "pods.") return;
    // After the writer has got its answer.
    if (type === "ADDED") later(0, () => schedule(object));
    else if (type === "DELETED") later(0, retry);
    else if (object.metadata["deletionTimestamp"] !== undefined && !ending.has(object.metadata["uid"])) {
      ending.add(object.metadata["uid"]);
      end(object);
    }
  });
  return {
    retry,
    stop() {
      stop();
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
