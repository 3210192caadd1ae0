import { err, ok, type Result } from "../../core/result.ts";
import type { Log } from "../log.ts";
import { CALL_TIMEOUT, type KubeApi, type KubeError } from "./api.ts";
import { acting, leads, nextStep, observed, resign, startElection, written, type LeaseRecord } from "./election.ts";
import { leaseSchema } from "./objects.ts";
import { pause } from "./transport.ts";

/**
 * leading: may act. standby: another one leads. cut-off: neither is known, at the start or when the API server is away; then nobody
 * may act, but what is seen is still worth telling.
 */
export const STANDINGS = ["leading", "standby", "cut-off"] as const;
export type Standing = (typeof STANDINGS)[number];

/** Who may act. */
export interface Leadership {
  standing(): Standing;
  /** Who holds the lease, as last seen; undefined = nobody is known to. */
  holder(): string | undefined;
  /** Where the holder says it serves its API; undefined where it does not say. */
  address(): string | undefined;
  /** Asked immediately before each write: reads the lease, and is only ok if a write begun now is over while we lead. */
  fence(signal: AbortSignal): Promise<Result<undefined, string>>;
  /** Gives the lease back, so that a successor need not wait for it to run out. */
  stop(): Promise<void>;
}

export interface LeaseOptions {
  readonly api: KubeApi;
  readonly namespace: string;
  readonly name: string;
  readonly identity: string;
  /** Where this scaler serves its API, for the other one; undefined = not told. */
  readonly address?: () => string | undefined;
  /** Seconds a lease lasts, and between two renewals. */
  readonly duration?: number;
  readonly every?: number;
  /** Seconds that a write needs at most. */
  readonly needs?: number;
  /** Seconds of a clock that never jumps. */
  readonly clock: () => number;
  /** Milliseconds since 1970, for the times that people read in the lease. */
  readonly wall: () => number;
  readonly onChange: (standing: Standing) => void;
  readonly log: Log;
}

/**
 * client-go's figures are 15 s, and a renewal every 2 s. A write needs CALL_TIMEOUT, so the lead outlasts three renewals that fail.
 */
const DURATION = 15;
const EVERY = 2;

/** Annotation of the lease: where its holder serves the API. */
const ADDRESS = "fulcrum.dev/address";

export function startLease(options: LeaseOptions): Leadership {
  const { api, namespace, name, identity, clock, log } = options;
  const needs = options.needs ?? CALL_TIMEOUT;
  const leases = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
  const stopping = new AbortController();
  // A renewal under way is waited for when we stop: without its answer nobody knows which version is to be given back.
  const calls = new AbortController();
  let state = startElection(identity, options.duration ?? DURATION);
  let acquiredAt = "";
  let holderAddress: string | undefined;
  let told: Standing = "cut-off";
  let failing = false;

  /** Tells a change as soon as it is known; also found by asking, since a lead ends without anybody's doing. */
  function standing(): Standing {
    const holder = state.seen?.record?.holder ?? "";
    const lead = !stopping.signal.aborted && leads(state, clock(), needs);
    const now = lead ? "leading" : holder !== "" && holder !== identity ? "standby" : "cut-off";
    if (now !== told) {
      told = now;
      log.info({ identity, holder, standing: now, lease: `${namespace}/${name}` }, "lease: who leads has changed");
      options.onChange(now);
    }
    return now;
  }

  const leading = (): boolean => standing() === "leading";

  async function look(signal: AbortSignal): Promise<KubeError | undefined> {
    const answer = await api.call({ method: "GET", path: `${leases}/${name}` }, signal);
    if (answer.ok) {
      const read = recordOf(answer.value);
      if (read === undefined) return { message: `lease ${namespace}/${name}: not a Lease` };
      holderAddress = read.address;
      state = observed(state, read.version, read.record, clock());
      return undefined;
    }
    if (answer.error.status !== 404) return answer.error;
    state = observed(state, null, null, clock());
    return undefined;
  }

  /** Our write carries the version it is about: if anybody wrote in between, it is refused with 409. */
  async function write(record: LeaseRecord, version: string | undefined, signal: AbortSignal): Promise<KubeError | undefined> {
    const now = new Date(options.wall()).toISOString().replace("Z", "000Z");
    const address = options.address?.();
    const took = record.transitions !== state.seen?.record?.transitions || acquiredAt === "";
    if (took) acquiredAt = now;
    const body = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: {
        ...{ name, namespace, ...(version === undefined ? {} : { resourceVersion: version }) },
        ...(address === undefined || record.holder === "" ? {} : { annotations: { [ADDRESS]: address } }),
      },
      spec: {
        holderIdentity: record.holder,
        leaseDurationSeconds: record.duration,
        acquireTime: acquiredAt,
        renewTime: now,
        leaseTransitions: record.transitions,
      },
    };
    const sentAt = clock();
    const answer = await (version === undefined
      ? api.call({ method: "POST", path: leases, body }, signal)
      : api.call({ method: "PUT", path: `${leases}/${name}`, body }, signal));
    if (!answer.ok) return answer.error;
    const kept = recordOf(answer.value);
    if (kept !== undefined) state = written(state, kept.version, kept.record, sentAt, clock());
    return undefined;
  }

  async function round(): Promise<void> {
    const problem = (await look(calls.signal)) ?? (await take());
    standing();
    if (stopping.signal.aborted) return;
    // Another one was quicker: that is how it should be.
    const failed = problem !== undefined && problem.status !== 409;
    if (failed && !failing) log.warn({ error: problem.message }, "lease: cannot be read or renewed");
    if (!failed && failing) log.info({}, "lease: answers again");
    failing = failed;
  }

  async function take(): Promise<KubeError | undefined> {
    const step = nextStep(state, clock());
    if (step.kind === "wait") return undefined;
    return write(step.record, step.kind === "update" ? step.version : undefined, calls.signal);
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await round();
      // Wakes when the lead would end, so that its end is told in time.
      const left = state.heldUntil - needs - clock();
      await pause(left > 0 ? Math.min(options.every ?? EVERY, left + 0.01) : (options.every ?? EVERY), stopping.signal);
    }
  }

  const running = run();
  return {
    standing,
    holder: () => state.seen?.record?.holder || undefined,
    address: () => holderAddress,
    async fence(signal) {
      if (!leading()) return err(`not leading: ${state.seen?.record?.holder || "nobody"} holds lease ${namespace}/${name}`);
      const problem = await look(signal);
      if (problem !== undefined) return err(`lease ${namespace}/${name} cannot be read before a write: ${problem.message}`);
      if (!leading()) return err(`not leading any more: ${state.seen?.record?.holder || "nobody"} holds lease ${namespace}/${name}`);
      // Nothing waits between this and the write.
      state = acting(state, clock(), needs);
      return ok(undefined);
    },
    async stop() {
      stopping.abort();
      standing();
      await running;
      const last = resign(state, clock());
      state = last.state;
      // Failing to give it back only makes the successor wait.
      if (last.step.kind === "update") await write(last.step.record, last.step.version, AbortSignal.timeout(2000));
    },
  };
}

function recordOf(
  value: unknown,
): { readonly version: string; readonly record: LeaseRecord; readonly address: string | undefined } | undefined {
  const parsed = leaseSchema.safeParse(value);
  if (!parsed.success) return undefined;
  const { metadata, spec } = parsed.data;
  return {
    version: metadata.resourceVersion,
    address: metadata.annotations?.[ADDRESS],
    record: { holder: spec.holderIdentity ?? "", duration: spec.leaseDurationSeconds ?? 0, transitions: spec.leaseTransitions ?? 0 },
  };
}
