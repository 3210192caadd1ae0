import { err, ok, type Result } from "../../core/result.ts";
import type { Log } from "../log.ts";
import type { KubeApi, KubeError } from "./api.ts";
import { eventSchema, listSchema, statusSchema, versionedSchema } from "./objects.ts";
import { pause, read } from "./transport.ts";

/** The objects of one resource, kept true by list and watch. */
export interface Reflector<T> {
  /** All of them; an error while they were never listed, or the watch has been lost for too long. */
  items(signal: AbortSignal): Promise<Result<readonly T[], string>>;
  stop(): void;
}

export interface ReflectorOptions<T> {
  readonly api: KubeApi;
  /** Of the resource, in one namespace or in all. */
  readonly path: string;
  readonly selector?: string;
  /** What messages call them: `pods of demo with app=x`. */
  readonly what: string;
  /** An object of the list or of an event; undefined: it cannot be read, and is left out rather than all of them. */
  readonly parse: (raw: unknown) => Keyed<T> | undefined;
  /** More of them than this are an error. */
  readonly limit: number;
  /** Called when they have been listed, and after each change. */
  readonly onChange?: (items: readonly T[]) => void;
  /** Called when they could not be listed or watched. */
  readonly onProblem?: (problem: KubeError) => void;
  readonly clock: () => number;
  readonly log: Log;
}

export interface Keyed<T> {
  readonly key: string;
  readonly item: T;
}

/** Seconds after which the server ends a watch in good order; a connection that died silently is noticed soon after. */
const WATCH = 45;
/** Seconds without a watch after which what it told is not believed any more. */
const STALE = 10;
const PAGE = 500;

export function startReflector<T>(options: ReflectorOptions<T>): Reflector<T> {
  const { api, path, selector, what, parse, limit, clock, log } = options;
  const selected: Readonly<Record<string, string>> = selector === undefined ? {} : { labelSelector: selector };
  const stopping = new AbortController();
  const { signal } = stopping;
  let items = new Map<string, T>();
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
    const found = new Map<string, T>();
    for (let from: string | undefined; ;) {
      const query = { ...selected, limit: String(PAGE), ...(from === undefined ? {} : { continue: from }) };
      const answer = await read(api, { path, query }, signal);
      if (!answer.ok) return answer.error;
      const parsed = listSchema.safeParse(answer.value);
      if (!parsed.success) return { message: `GET ${path}: not a list` };
      for (const raw of parsed.data.items) {
        const one = parse(raw);
        if (one !== undefined) found.set(one.key, one.item);
      }
      if (found.size > limit) return { message: `${what}: over ${limit}, more than there can be` };
      from = parsed.data.metadata.continue;
      version = parsed.data.metadata.resourceVersion;
      if (from === undefined || from === "") break;
    }
    items = found;
    seenAt = clock();
    options.onChange?.([...items.values()]);
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
    const one = parse(object);
    if (one === undefined) throw new Error("an event about something else");
    if (type === "DELETED") items.delete(one.key);
    else items.set(one.key, one.item);
    options.onChange?.([...items.values()]);
  }

  async function round(): Promise<KubeError | undefined> {
    const failed = version === undefined ? await list() : undefined;
    if (failed !== undefined || version === undefined) return failed;
    problem = undefined;
    watching = true;
    settle();
    const query = { ...selected, resourceVersion: version, allowWatchBookmarks: "true", timeoutSeconds: String(WATCH) };
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
      if (problem === undefined) log.warn({ what, error: failed.message }, "kube: a watch was lost");
      problem = failed.message;
      // A watch that was cut is resumed; only a list that fails leaves us without knowledge.
      if (version === undefined) options.onProblem?.(failed);
      settle();
      // A lost watch is tried again at once, then ever less often.
      await pause(failed.retryAfter ?? Math.min(8, 0.25 * 2 ** (failures - 2)), signal);
    }
  }

  void run();
  return {
    async items(asked) {
      if (seenAt === Number.NEGATIVE_INFINITY && problem === undefined) {
        await new Promise<void>((resolve) => {
          wake.push(resolve);
          asked.addEventListener("abort", () => resolve(), { once: true });
        });
      }
      if (seenAt === Number.NEGATIVE_INFINITY) return err(problem ?? `${what}: not listed yet`);
      if (!watching && clock() - seenAt > STALE) return err(`${what}: not seen any more: ${problem ?? "the watch ended"}`);
      return ok([...items.values()]);
    },
    stop: () => stopping.abort(),
  };
}
