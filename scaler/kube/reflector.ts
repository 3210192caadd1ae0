import { err, ok, type Result } from "../../core/result.ts";
import type { Log } from "../log.ts";
import type { KubeApi, KubeError } from "./api.ts";
import { eventSchema, listSchema, podSchema, statusSchema, versionedSchema, type Pod } from "./objects.ts";
import { pause, read } from "./transport.ts";

/** The pods of one selector, kept true by list and watch. */
export interface Reflector {
  /** All pods; an error while they were never listed, or the watch has been lost for too long. */
  pods(signal: AbortSignal): Promise<Result<readonly Pod[], string>>;
  stop(): void;
}

export interface ReflectorOptions {
  readonly api: KubeApi;
  readonly namespace: string;
  readonly selector: string;
  readonly clock: () => number;
  readonly log: Log;
}

/** Seconds after which the server ends a watch in good order; a connection that died silently is noticed soon after. */
const WATCH = 45;
/** Seconds without a watch after which what it told is not believed any more. */
const STALE = 10;
const PAGE = 500;
const MAX_PODS = 5000;

export function startReflector({ api, namespace, selector, clock, log }: ReflectorOptions): Reflector {
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const stopping = new AbortController();
  const { signal } = stopping;
  let pods = new Map<string, Pod>();
  /** From where to watch; undefined = list first. */
  let version: string | undefined;
  let seenAt = Number.NEGATIVE_INFINITY;
  let watching = false;
  let problem: string | undefined;
  let wake: (() => void)[] = [];
  let failures = 0;

  function settle(): void {
    for (const resolve of wake) resolve();
    wake = [];
  }

  async function list(): Promise<KubeError | undefined> {
    const found = new Map<string, Pod>();
    for (let from: string | undefined; ;) {
      const query = { labelSelector: selector, limit: String(PAGE), ...(from === undefined ? {} : { continue: from }) };
      const answer = await read(api, { path, query }, signal);
      if (!answer.ok) return answer.error;
      const parsed = listSchema.safeParse(answer.value);
      if (!parsed.success) return { message: `GET ${path}: not a list of pods` };
      for (const item of parsed.data.items) keep(found, item);
      if (found.size > MAX_PODS) return { message: `${selector} selects over ${MAX_PODS} pods: more than a pool can have` };
      from = parsed.data.metadata.continue;
      version = parsed.data.metadata.resourceVersion;
      if (from === undefined || from === "") break;
    }
    pods = found;
    seenAt = clock();
    return undefined;
  }

  function onEvent(raw: unknown): void {
    const { type, object } = eventSchema.parse(raw);
    if (type === "ERROR") {
      const { code, message } = statusSchema.parse(object);
      // 410: what we last saw is too long ago for the server to tell what happened since.
      if (code === 410) version = undefined;
      throw new Error(`${code ?? ""} ${message ?? ""}`);
    }
    version = versionedSchema.parse(object).metadata.resourceVersion;
    seenAt = clock();
    if (type === "BOOKMARK") return;
    const pod = podSchema.parse(object);
    if (type === "DELETED") pods.delete(pod.metadata.name);
    else pods.set(pod.metadata.name, pod);
  }

  async function round(): Promise<KubeError | undefined> {
    const failed = version === undefined ? await list() : undefined;
    if (failed !== undefined || version === undefined) return failed;
    problem = undefined;
    watching = true;
    settle();
    const query = {
      labelSelector: selector,
      resourceVersion: version,
      allowWatchBookmarks: "true",
      timeoutSeconds: String(WATCH),
    };
    const ended = await api.watch(path, query, onEvent, AbortSignal.any([signal, AbortSignal.timeout((WATCH + 5) * 1000)]));
    watching = false;
    if (ended === undefined) seenAt = clock();
    if (ended?.status === 410) version = undefined;
    return ended;
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      const failed = await round();
      failures = failed === undefined ? 0 : failures + 1;
      if (failed === undefined || signal.aborted) continue;
      if (problem === undefined) log.warn({ namespace, selector, error: failed.message }, "kube: the watch of pods was lost");
      problem = failed.message;
      settle();
      // A lost watch is tried again at once, then ever less often.
      await pause(failed.retryAfter ?? Math.min(8, 0.25 * 2 ** (failures - 2)), signal);
    }
  }

  void run();
  return {
    async pods(asked) {
      if (seenAt === Number.NEGATIVE_INFINITY && problem === undefined) {
        await new Promise<void>((resolve) => {
          wake.push(resolve);
          asked.addEventListener("abort", () => resolve(), { once: true });
        });
      }
      if (seenAt === Number.NEGATIVE_INFINITY) return err(problem ?? `pods of ${namespace} with ${selector}: not listed yet`);
      if (!watching && clock() - seenAt > STALE) return err(`pods of ${namespace} are not seen any more: ${problem ?? "the watch ended"}`);
      return ok([...pods.values()]);
    },
    stop: () => stopping.abort(),
  };
}

/** A pod that cannot be read is a bug of the server or of ours: it is left out rather than all of them. */
function keep(pods: Map<string, Pod>, item: unknown): void {
  const parsed = podSchema.safeParse(item);
  if (parsed.success) pods.set(parsed.data.metadata.name, parsed.data);
}
