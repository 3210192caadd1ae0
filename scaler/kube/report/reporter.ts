import type { Judged } from "../../loop/follow-policies.ts";
import type { TickView } from "../../loop/tick-view.ts";
import type { Log } from "../../log.ts";
import type { KubeApi, KubeError } from "../api.ts";
import type { Leadership } from "../lease.ts";
import { pause } from "../transport.ts";
import { createEventRecorder, type EventOutcome } from "./events.ts";
import { failureOf, occurrencesOf, objectRef, verdictOf } from "./occurrences.ts";
import { statusOf, type PolicyStatus } from "./status.ts";

/** Tells the cluster what the scaler sees, decides and does: the status of ScalingPolicy objects, and events. Only the leader writes. */
export interface Reporter {
  /** All objects, with what is thought of each. */
  judged(all: readonly Judged[]): void;
  tick(view: TickView): void;
  stop(): Promise<void>;
}

export type StatusOutcome = "written" | "failed";

export interface ReporterDeps {
  readonly api: KubeApi;
  readonly leadership: Pick<Leadership, "standing" | "fence">;
  readonly identity: string;
  /** Seconds since 1970. */
  readonly clock: () => number;
  readonly onStatus: (outcome: StatusOutcome) => void;
  readonly onEvent: (outcome: EventOutcome) => void;
  readonly log: Log;
  /** Seconds between looks for what is due. */
  readonly every?: number;
}

/** Seconds between two statuses of one object when a figure changed, when a decision or condition did, and when nothing did. */
const FIGURES = 10;
const DECISIONS = 1;
const NOTHING = 60;
/** Status writes per second over all objects, about: with many objects each is written less often. */
const RATE = 2;
/** Seconds before a failed write is tried again. */
const RETRY = 10;
const FIELD_MANAGER = "fulcrum-status";

interface Entry {
  judged: Judged;
  spec: string;
  view: TickView | undefined;
  written: { readonly status: PolicyStatus; readonly at: number } | undefined;
  notBefore: number;
}

export function createReporter(deps: ReporterDeps): Reporter {
  const { api, leadership, clock, log } = deps;
  const entries = new Map<string, Entry>();
  const stopping = new AbortController();
  const { signal } = stopping;
  const events = createEventRecorder({ ...deps, instance: deps.identity, onOutcome: deps.onEvent });
  let failing = false;

  async function write(entry: Entry, status: PolicyStatus): Promise<void> {
    const { namespace, name, uid } = entry.judged.object;
    const led = await leadership.fence(signal);
    if (!led.ok) return;
    const answer = await api.call(
      {
        method: "PATCH",
        path: `/apis/fulcrum.dev/v1alpha1/namespaces/${namespace}/scalingpolicies/${name}/status`,
        query: { fieldManager: FIELD_MANAGER, force: "true" },
        contentType: "application/apply-patch+yaml",
        // The uid: an object of this name that somebody made meanwhile is another one.
        body: { apiVersion: "fulcrum.dev/v1alpha1", kind: "ScalingPolicy", metadata: { name, namespace, uid }, status },
      },
      signal,
    );
    const now = clock();
    if (answer.ok) {
      entry.written = { status, at: now };
      deps.onStatus("written");
    } else if (gone(answer.error)) {
      // Deleted, or deleted and made anew: the watch will tell.
      entry.notBefore = now + DECISIONS;
    } else {
      entry.notBefore = now + Math.max(RETRY, answer.error.retryAfter ?? 0);
      deps.onStatus("failed");
      if (!failing) log.warn({ policy: `${namespace}/${name}`, error: answer.error.message }, "status: cannot be written");
    }
    failing = !answer.ok && !gone(answer.error);
  }

  async function round(): Promise<void> {
    if (leadership.standing() !== "leading") {
      for (const entry of entries.values()) Object.assign(entry, { written: undefined, view: undefined, notBefore: 0 });
      return;
    }
    for (const entry of entries.values()) {
      if (signal.aborted) return;
      const status = dueStatus(entry, clock(), entries.size);
      if (status === undefined) continue;
      const said = verdictOf(entry.judged, entry.written?.status ?? entry.judged.object.status);
      await write(entry, status);
      if (said !== undefined && entry.written?.status === status) events.record(said);
    }
    await events.flush(signal);
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      // What it throws is a bug of ours; acting does not depend on telling.
      await round().catch((error: unknown) => log.error({ err: error }, "status: a round failed"));
      await pause(deps.every ?? 1, signal);
    }
  }

  const running = run();
  return {
    judged(all) {
      const names = new Set(all.map(({ object }) => nameOf(object)));
      for (const name of entries.keys()) if (!names.has(name)) entries.delete(name);
      for (const judged of all) {
        const known = entries.get(nameOf(judged.object));
        const spec = specOf(judged);
        if (known?.judged.object.uid === judged.object.uid) {
          if (known.spec !== spec) known.view = undefined;
          Object.assign(known, { judged, spec });
        } else entries.set(nameOf(judged.object), { judged, spec, view: undefined, written: undefined, notBefore: 0 });
      }
    },
    tick(view) {
      const entry = entries.get(view.name);
      const own = entry !== undefined && entry.spec === JSON.stringify(view.policy);
      if (own) entry.view = view;
      if (leadership.standing() !== "leading") return;
      const about = own ? objectRef(entry.judged.object) : undefined;
      for (const occurrence of [...occurrencesOf(view, about), ...failureOf(view, about)]) events.record(occurrence);
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** What is to be written now, if anything. */
function dueStatus(entry: Entry, now: number, objects: number): PolicyStatus | undefined {
  if (now < entry.notBefore) return undefined;
  const { judged, view, written } = entry;
  const standing = judged.object.status as { readonly conditions?: readonly unknown[] } | null | undefined;
  // An edit is taken up within one interval: until then what stands there is about the spec before, and says so by its generation.
  const unseen = view === undefined && judged.verdict.kind === "in use";
  if (unseen && (standing?.conditions ?? []).length > 0) return undefined;
  const status = statusOf(judged, view, written?.status ?? judged.object.status, now);
  if (written === undefined) return status;
  const waited = now - written.at;
  const slower = Math.max(1, objects / RATE / FIGURES);
  if (decisive(status) !== decisive(written.status)) return waited >= DECISIONS * slower ? status : undefined;
  if (figures(status) !== figures(written.status)) return waited >= FIGURES * slower ? status : undefined;
  return waited >= NOTHING * slower ? status : undefined;
}

/** What a reader waits for; messages carry figures and change with them. */
function decisive({ conditions, lastDecision, prefill, decode, ...rest }: PolicyStatus): string {
  const states = conditions.map(({ type, status, reason }) => [type, status, reason]);
  const { observedGeneration, mode } = rest;
  return JSON.stringify([observedGeneration, mode, states, prefill?.desired, decode?.desired, lastDecision?.reason, lastDecision?.hold]);
}

/** All but the time of the decision, which changes always. */
const figures = ({ lastDecision, ...rest }: PolicyStatus): string =>
  JSON.stringify([rest, lastDecision?.reason, lastDecision?.message, lastDecision?.hold]);

const gone = ({ status }: KubeError): boolean => status === 404 || status === 409;
const nameOf = ({ namespace, name }: Judged["object"]): string => `${namespace}/${name}`;
const specOf = ({ object, verdict }: Judged): string =>
  object.policy.ok && verdict.kind === "in use" ? JSON.stringify(object.policy.value) : "";
