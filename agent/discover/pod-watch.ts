import { z } from "zod";
import type { Pod } from "../../core/discover/pod.ts";
import { sleep } from "../scrape/schedule.ts";
import type { KubeApi, KubeFailure } from "./kube-api.ts";
import { readPod } from "./pod-object.ts";

/** What is on a node now. */
export interface NodePods {
  readonly pods: readonly Pod[];
  /** Objects that could not be read, by namespace/name, and why. */
  readonly unreadable: ReadonlyMap<string, string>;
}

/** Why a watch had to begin anew; labels fulcrum_agent_pod_watch_restarts_total. */
export const WATCH_RESTARTS = ["expired", "broken", "refused"] as const;
export type WatchRestart = (typeof WATCH_RESTARTS)[number];

export interface PodWatchOptions {
  readonly api: KubeApi;
  readonly node: string;
  /** Undefined = all. */
  readonly namespace: string | undefined;
  readonly signal: AbortSignal;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  /** Called after every change, and after a list that brought none. */
  onPods(pods: NodePods): void;
  /** Called when a list or a watch was granted. */
  onGood(): void;
  onProblem(message: string): void;
  onRestart(reason: WatchRestart): void;
}

const PAGE = 250;
/** A kubelet takes 110 pods unless told otherwise, and 500 at the most that anybody runs. */
const MAX_PODS = 2000;
/** Seconds of one watch. Every agent begins one in this time, so it is long, and spread so that they do not come together. */
const WATCH = { least: 240, most: 420 };
/** Seconds within which a watch is begun again. */
const SPREAD = 1;
const BACKOFF = { first: 0.25, most: 30 };

const listSchema = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.string().nullish() }),
  items: z.array(z.unknown()),
});
const eventSchema = z.object({ type: z.string(), object: z.unknown() });
const statusSchema = z.object({ code: z.number().nullish(), message: z.string().nullish() });
const keySchema = z.object({ metadata: z.object({ name: z.string(), namespace: z.string(), resourceVersion: z.string() }) });
const versionSchema = z.object({ metadata: z.object({ resourceVersion: z.string() }) });

/**
 * Follows the pods of one node by list and watch until aborted. A watch that ends is resumed where it was; one that the server has
 * forgotten (410) begins with a new list. While the API server is away the pods last seen stay: their engines are read all the same.
 */
export async function watchPods(options: PodWatchOptions): Promise<void> {
  const { api, node, namespace, signal, random } = options;
  const path = namespace === undefined ? "/api/v1/pods" : `/api/v1/namespaces/${namespace}/pods`;
  const selector = `spec.nodeName=${node}`;
  let pods = new Map<string, Pod>();
  let unreadable = new Map<string, string>();
  /** From where to watch; undefined = list first. */
  let version: string | undefined;
  /** "0" lets the server answer from memory. After it has forgotten us, its memory may be as old as we are. */
  let from: string | undefined = "0";

  const publish = (): void => options.onPods({ pods: [...pods.values()], unreadable: new Map(unreadable) });

  const put = (into: Map<string, Pod>, bad: Map<string, string>, object: unknown): void => {
    const key = keySchema.safeParse(object);
    const name = key.success ? `${key.data.metadata.namespace}/${key.data.metadata.name}` : "?";
    const read = readPod(object);
    into.delete(name);
    bad.delete(name);
    if (read.ok) into.set(name, read.value);
    else bad.set(name, read.error);
  };

  const list = async (): Promise<KubeFailure | undefined> => {
    const [found, bad] = [new Map<string, Pod>(), new Map<string, string>()];
    for (let next = ""; ;) {
      const query = {
        fieldSelector: selector,
        limit: String(PAGE),
        ...(next === "" ? from !== undefined && { resourceVersion: from } : { continue: next }),
      };
      const answer = await api.get(path, query, signal);
      if (!answer.ok) return answer.error;
      const parsed = listSchema.safeParse(answer.value);
      if (!parsed.success) return { message: `${path}: not a list of pods` };
      for (const item of parsed.data.items) put(found, bad, item);
      if (found.size > MAX_PODS) return { message: `${node} has over ${MAX_PODS} pods` };
      ({ resourceVersion: version } = parsed.data.metadata);
      next = parsed.data.metadata.continue ?? "";
      if (next === "") break;
    }
    [pods, unreadable, from] = [found, bad, undefined];
    options.onGood();
    publish();
    return undefined;
  };

  const onEvent = (raw: unknown): void => {
    const { type, object } = eventSchema.parse(raw);
    if (type === "ERROR") {
      const { code, message } = statusSchema.parse(object);
      if (code === 410) version = undefined;
      throw new Error(`${code ?? ""} ${message ?? "the watch ended with an error"}`);
    }
    version = versionSchema.parse(object).metadata.resourceVersion;
    if (type === "BOOKMARK") return;
    const { name, namespace } = keySchema.parse(object).metadata;
    if (type !== "DELETED") put(pods, unreadable, object);
    else {
      pods.delete(`${namespace}/${name}`);
      unreadable.delete(`${namespace}/${name}`);
    }
    if (pods.size > MAX_PODS) throw new Error(`${node} has over ${MAX_PODS} pods`);
    publish();
  };

  const follow = async (resourceVersion: string): Promise<KubeFailure | undefined> => {
    const seconds = Math.round(WATCH.least + random() * (WATCH.most - WATCH.least));
    const query = { fieldSelector: selector, resourceVersion, allowWatchBookmarks: "true", timeoutSeconds: String(seconds) };
    const ended = await api.watch(
      path,
      query,
      { opened: options.onGood, object: onEvent },
      AbortSignal.any([signal, AbortSignal.timeout((seconds + 10) * 1000)]),
    );
    if (ended?.status === 410) version = undefined;
    return ended;
  };

  let failures = 0;
  while (!signal.aborted) {
    const listing = version === undefined;
    const failed = listing ? await list() : await follow(version ?? "");
    if (signal.aborted) return;
    if (failed === undefined) failures = 0;
    const expired = !listing && version === undefined;
    if (failed !== undefined) options.onRestart(expired ? "expired" : failed.status === undefined ? "broken" : "refused");
    // A watch that ended in good order goes on, and what the server forgot is listed; neither is a failure, and neither makes a busy loop.
    if (failed === undefined || expired) {
      if (!listing) await sleep(random() * SPREAD, signal);
      continue;
    }
    failures++;
    options.onProblem(explain(failed));
    const pause = Math.min(BACKOFF.most, BACKOFF.first * 2 ** Math.min(10, failures - 1));
    await sleep(failed.retryAfter ?? pause * (0.5 + random()), signal);
  }
}

const explain = ({ status, message }: KubeFailure): string =>
  status === 403 ? `${message}; the agent's account needs list and watch on pods` : message;
