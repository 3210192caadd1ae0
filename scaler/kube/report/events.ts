import type { Log } from "../../log.ts";
import type { KubeApi } from "../api.ts";

/** What an event is about; an event stands in its namespace. */
export interface Regarding {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
}

export interface Occurrence {
  readonly regarding: Regarding;
  readonly related?: Regarding;
  readonly type: "Normal" | "Warning";
  /** CamelCase; the closed list is in docs/kubernetes.md. */
  readonly reason: "ScaledUp" | "ScaledDown" | "LimitSet" | "ScaleFailed" | "InvalidPolicy" | "PolicyConflict";
  readonly action: string;
  readonly note: string;
  /** Occurrences of one key within ten minutes are one event that counts. */
  readonly key: string;
}

export type EventOutcome = "written" | "counted" | "dropped" | "failed";

export interface EventRecorder {
  record(occurrence: Occurrence): void;
  /** Writes what is due; never overlaps itself. */
  flush(signal: AbortSignal): Promise<void>;
}

export interface EventDeps {
  readonly api: KubeApi;
  readonly instance: string;
  /** Seconds since 1970. */
  readonly clock: () => number;
  readonly onOutcome: (outcome: EventOutcome) => void;
  readonly log: Log;
}

/** client-go's bounds on one object: a burst of 25 new events, then one every five minutes; ours refills each minute. */
const BURST = 25;
const REFILL = 60;
const MAX_QUEUE = 200;
const MAX_KEPT = 1000;
/** Seconds in which the same is one event, and between two writes of its count. */
const SAME = 600;
const COUNT_EVERY = 60;
/** events.k8s.io takes a note of at most 1 kB, in bytes; a cut may leave a torn character of three. */
const MAX_NOTE = 1020;

interface Kept {
  readonly path: string;
  count: number;
  lastAt: number;
  writtenCount: number;
  writtenAt: number;
}

/** events.k8s.io/v1. An event is news, not truth: what cannot be written is dropped and counted, and never holds anything up. */
export function createEventRecorder({ api, instance, clock, onOutcome, log }: EventDeps): EventRecorder {
  const queue: Occurrence[] = [];
  const kept = new Map<string, Kept>();
  const buckets = new Map<string, { tokens: number; at: number }>();
  let serial = 0;
  let failing = false;

  function record(occurrence: Occurrence): void {
    const same = kept.get(occurrence.key);
    if (same !== undefined && clock() - same.lastAt <= SAME) {
      same.count++;
      same.lastAt = clock();
      onOutcome("counted");
    } else if (queue.some((o) => o.key === occurrence.key)) onOutcome("counted");
    else if (queue.length < MAX_QUEUE && takeToken(idOf(occurrence.regarding))) queue.push(occurrence);
    else onOutcome("dropped");
  }

  function takeToken(id: string): boolean {
    const now = clock();
    const bucket = buckets.get(id) ?? { tokens: BURST, at: now };
    const tokens = Math.min(BURST, bucket.tokens + (now - bucket.at) / REFILL);
    if (buckets.size >= MAX_KEPT) buckets.clear();
    buckets.set(id, { tokens: tokens < 1 ? tokens : tokens - 1, at: now });
    return tokens >= 1;
  }

  async function create(occurrence: Occurrence, signal: AbortSignal): Promise<void> {
    const { regarding, related, type, reason, action, note, key } = occurrence;
    const now = clock();
    const name = `${regarding.name.slice(0, 200)}.${Math.floor(now * 1000).toString(16)}${(serial++).toString(16).padStart(4, "0")}`;
    const events = `/apis/events.k8s.io/v1/namespaces/${regarding.namespace}/events`;
    const body = {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { name, namespace: regarding.namespace },
      eventTime: microTime(now),
      reportingController: "fulcrum.dev/scaler",
      reportingInstance: instance.slice(0, 128),
      ...{ type, reason, action, regarding },
      note: cut(note),
      ...(related === undefined ? {} : { related }),
    };
    const answer = await api.call({ method: "POST", path: events, body }, signal);
    told(answer.ok ? undefined : answer.error.message);
    if (!answer.ok) return onOutcome("failed");
    onOutcome("written");
    if (kept.size >= MAX_KEPT) kept.clear();
    kept.set(key, { path: `${events}/${name}`, count: 1, lastAt: now, writtenCount: 1, writtenAt: now });
  }

  async function count(entry: Kept, signal: AbortSignal): Promise<void> {
    const series = { count: entry.count, lastObservedTime: microTime(entry.lastAt) };
    entry.writtenCount = entry.count;
    entry.writtenAt = clock();
    const contentType = "application/merge-patch+json";
    const answer = await api.call({ method: "PATCH", path: entry.path, contentType, body: { series } }, signal);
    told(answer.ok || answer.error.status === 404 ? undefined : answer.error.message);
    if (!answer.ok) onOutcome("failed");
  }

  function told(problem: string | undefined): void {
    if (problem !== undefined && !failing) log.warn({ error: problem }, "event: cannot be written");
    failing = problem !== undefined;
  }

  return {
    record,
    async flush(signal) {
      for (let next = queue.shift(); next !== undefined && !signal.aborted; next = queue.shift()) await create(next, signal);
      for (const [key, entry] of kept) {
        const over = clock() - entry.lastAt > SAME;
        if (entry.count > entry.writtenCount && (over || clock() - entry.writtenAt >= COUNT_EVERY)) await count(entry, signal);
        if (over) kept.delete(key);
      }
    },
  };
}

const idOf = ({ kind, namespace, name }: Regarding): string => `${kind} ${namespace}/${name}`;

const cut = (note: string): string =>
  Buffer.byteLength(note) <= MAX_NOTE
    ? note
    : `${Buffer.from(note)
        .subarray(0, MAX_NOTE - 6)
        .toString("utf8")}…`;

/** As metav1.MicroTime has it. */
const microTime = (at: number): string => new Date(at * 1000).toISOString().replace("Z", "000Z");
