import { computed, signal } from "@preact/signals";
import { type DecisionRow, decisionRows } from "./changes.ts";
import { type View, view } from "./columns.ts";
import { Feed, type Link, localSeconds } from "./feed.ts";
import { ageOf, type Arrival, frameInterval, isStale, STALE_INTERVALS } from "./freshness.ts";
import { EMPTY, framesOf, type Model, policyKeys, policyOf, reduce } from "./store.ts";
import type { PageFrame, PageMessage } from "../wire/page.ts";

/** The page's state: the model fed by the scaler, and what the reader chose. */
export const model = signal<Model>(EMPTY);
export const link = signal<Link>({ state: "connecting" });
/** Local monotonic seconds, once a second. */
export const now = signal(localSeconds());
export const unreadable = signal(0);

export const WINDOWS = [
  { seconds: 300, label: "5 min" },
  { seconds: 900, label: "15 min" },
  { seconds: 3600, label: "1 h" },
] as const;
export const windowSeconds = signal<number>(WINDOWS[1].seconds);
/** Null until the reader picks: then the first policy is shown. */
export const chosenPolicy = signal<string | null>(null);

const arrivals = signal<ReadonlyMap<string, Arrival>>(new Map());

export const policy = computed(() => policyOf(model.value, chosenPolicy.value));
const frames = computed(() => framesOf(model.value, policy.value));
export const latest = computed((): PageFrame | null => frames.value.at(-1) ?? null);
export const interval = computed(() => frameInterval(frames.value));
export const shown = computed((): View => view(frames.value, windowSeconds.value, STALE_INTERVALS * interval.value));
export const rows = computed((): readonly DecisionRow[] => {
  const keys: readonly string[] = policy.value === null ? [] : policyKeys(policy.value);
  return decisionRows(model.value.decisions.filter((d) => keys.includes(d.policy)));
});

/** Seconds since the newest frame was made; null before the first. */
export const age = computed((): number | null => {
  const arrival = arrivals.value.get(latest.value?.policy ?? "");
  return arrival === undefined ? null : ageOf(arrival, now.value);
});
export const stale = computed(() => age.value !== null && isStale(age.value, interval.value));

function receive(message: PageMessage): void {
  model.value = reduce(model.value, message);
  if (message.type === "decision") return;
  const next = new Map(message.type === "snapshot" ? [] : arrivals.value);
  const received = localSeconds();
  const names = message.type === "frame" ? [message.frame.policy] : model.value.frames.keys();
  for (const name of names) {
    const at = model.value.frames.get(name)?.at(-1)?.at;
    if (at !== undefined) next.set(name, { age: message.state.at - at, received });
  }
  arrivals.value = next;
  now.value = received;
}

export function start(url: string): Feed {
  const feed = new Feed(url, {
    message: receive,
    link: (next) => (link.value = next),
    unreadable: () => unreadable.value++,
    patience: () => Math.max(30, 10 * interval.value),
  });
  setInterval(() => (now.value = localSeconds()), 1000);
  addEventListener("online", () => feed.retryNow());
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) feed.retryNow();
  });
  return feed;
}
