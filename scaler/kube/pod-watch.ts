import type { Result } from "../../core/result.ts";
import type { Log } from "../log.ts";
import type { KubeApi } from "./api.ts";
import { podSchema, type Pod } from "./objects.ts";
import { startReflector, type Keyed, type Reflector } from "./reflector.ts";

/** Pods by selector: watched from the first time they are asked for, until nobody has asked for a while. */
export interface PodWatch {
  pods(namespace: string, selector: string, signal: AbortSignal): Promise<Result<readonly Pod[], string>>;
  stop(): void;
}

/** Seconds: a policy that was removed, or a selector that changed. */
const IDLE = 300;
/** More than a pool can have. */
const MAX_PODS = 5000;

export function createPodWatch(api: KubeApi, clock: () => number, log: Log): PodWatch {
  const watched = new Map<string, { readonly reflector: Reflector<Pod>; askedAt: number }>();

  const start = (namespace: string, selector: string): Reflector<Pod> =>
    startReflector({
      ...{ api, path: `/api/v1/namespaces/${namespace}/pods`, selector, what: `pods of ${namespace} with ${selector}` },
      ...{ parse: podOf, limit: MAX_PODS, clock, log },
    });

  return {
    pods(namespace, selector, signal) {
      const now = clock();
      const key = `${namespace}/${selector}`;
      for (const [other, { reflector, askedAt }] of watched) {
        if (other === key || now - askedAt < IDLE) continue;
        reflector.stop();
        watched.delete(other);
      }
      const entry = watched.get(key) ?? { reflector: start(namespace, selector), askedAt: now };
      entry.askedAt = now;
      watched.set(key, entry);
      return entry.reflector.items(signal);
    },
    stop() {
      for (const { reflector } of watched.values()) reflector.stop();
    },
  };
}

function podOf(raw: unknown): Keyed<Pod> | undefined {
  const parsed = podSchema.safeParse(raw);
  return parsed.success ? { key: parsed.data.metadata.name, item: parsed.data } : undefined;
}
