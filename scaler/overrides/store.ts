import { ALL_POLICIES, expired, type Overrides } from "../../core/override.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { Log } from "../log.ts";
import { edited, emptyDocument, type OverrideChange, type OverrideDocument, type OverrideEdit } from "./document.ts";
import type { OverridePlace, PlaceError } from "./place.ts";

/** What operators have said about modes, as this process knows it. */
export interface OverrideStore {
  current(): Overrides;
  changes(): readonly OverrideChange[];
  /** Before a decision: looks for what was said to another scaler, if the last look is old. Never rejects. */
  renew(): Promise<void>;
  /** Resolves when it is kept. An error is a sentence for the operator. */
  change(edit: OverrideEdit): Promise<Result<void, string>>;
  close(): Promise<void>;
}

/** A change that came to be known here; `expired` where nobody made it. */
export type OverrideNews = Omit<OverrideChange, "seq" | "by"> & { readonly by?: string; readonly expired?: true };

export interface OverrideStoreOptions {
  readonly place: OverridePlace;
  /** Unix seconds. */
  readonly clock: () => number;
  readonly onNews: (news: OverrideNews) => void;
  readonly log: Log;
}

/** Seconds after which a shared place is looked at again, and that one look may take. */
const FRESH = 2;
const LOOK = 2;
/** Without decisions (a scaler that stands by) the page's figures are this old at most. */
const EVERY = 10;
/** Times that an edit is made again on what another scaler wrote in between. */
const ATTEMPTS = 5;

export async function openOverrides({ place, clock, onNews, log }: OverrideStoreOptions): Promise<OverrideStore> {
  const stopping = new AbortController();
  let document = emptyDocument;
  /** Why what is kept is not known; undefined once it was read. */
  let unknown: PlaceError | undefined;
  let first = true;
  let lookedAt = -Infinity;
  let looking: Promise<void> | undefined;
  let queue: Promise<unknown> = Promise.resolve();
  let told: string | undefined;
  const ended = new Set<string>();

  /** One at a time: a write replaces what was read last. */
  function alone<T>(work: () => Promise<T>): Promise<T> {
    const done = queue.then(work);
    queue = done.catch(() => undefined);
    return done;
  }

  function take(next: OverrideDocument): void {
    const fresh = first ? [] : next.changes.filter(({ seq }) => seq > document.seq);
    // At the start what has ended before is no news.
    if (first) for (const [name, o] of Object.entries(next.overrides)) if (expired(o, clock())) ended.add(`${name} ${o.at}`);
    first = false;
    document = next;
    for (const { seq: _, ...change } of fresh) onNews(change);
  }

  function tellExpired(): void {
    const now = clock();
    for (const [name, o] of Object.entries(document.overrides)) {
      if (!expired(o, now) || ended.has(`${name} ${o.at}`)) continue;
      ended.add(`${name} ${o.at}`);
      onNews({ at: now, name, mode: null, expired: true });
    }
    for (const key of ended) if (!Object.entries(document.overrides).some(([name, o]) => `${name} ${o.at}` === key)) ended.delete(key);
  }

  function problem(found: PlaceError | undefined): void {
    if (found !== undefined && found.message !== told)
      log.warn({ problem: found.message }, "override: what operators have said cannot be read; what was known last stays in force");
    told = found?.message;
  }

  async function look(): Promise<PlaceError | undefined> {
    const found = await place.read(AbortSignal.any([stopping.signal, AbortSignal.timeout(LOOK * 1000)]));
    lookedAt = clock();
    if (!found.ok) {
      problem(found.error);
      // A pause that was once known stays; where nothing was ever read, nobody knows whether there is one.
      if (first || found.error.kind === "broken") unknown = found.error;
      return found.error;
    }
    problem(undefined);
    unknown = undefined;
    take(found.value ?? { ...emptyDocument, seq: document.seq });
    return undefined;
  }

  async function write(edit: OverrideEdit): Promise<Result<void, string>> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const trouble = place.shared || unknown !== undefined ? await look() : undefined;
      // What cannot be read would be lost: whoever starts over says so for all policies.
      if (trouble !== undefined && !(trouble.kind === "broken" && edit.name === ALL_POLICIES)) return err(trouble.message);
      const next = edited(trouble === undefined ? document : { ...emptyDocument, seq: document.seq }, edit);
      if (!next.ok) return next;
      const done = await place.write(next.value, stopping.signal);
      if (done.ok) {
        unknown = undefined;
        first = false;
        take(next.value);
        return ok(undefined);
      }
      if (done.error.kind !== "moved-on") return err(done.error.message);
    }
    return err(`${place.where}: others write there all the time; try again`);
  }

  async function turn(): Promise<void> {
    if (place.shared && clock() - lookedAt >= FRESH) await (looking ??= alone(look).then(() => (looking = undefined)));
    tellExpired();
  }

  await alone(look);
  tellExpired();
  const timer = setInterval(() => void turn(), EVERY * 1000);
  timer.unref();

  return {
    current: () => (unknown === undefined || unknown.kind === "forbidden" ? document.overrides : untilKnown(unknown, clock())),
    changes: () => document.changes,
    renew: turn,
    change: (edit) => alone(() => write(edit)),
    async close() {
      clearInterval(timer);
      stopping.abort();
      await queue;
    },
  };
}

/** Nobody knows whether an operator has paused: then it is as if. (Who may not look, by the cluster's RBAC, is told so and obeys nothing.) */
function untilKnown({ message }: PlaceError, at: number): Overrides {
  return { [ALL_POLICIES]: { mode: "paused", by: "fulcrum", at, reason: `whether an operator has paused is not known: ${message}` } };
}
