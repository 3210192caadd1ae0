import type { Decision } from "../../core/decision.ts";
import type { Observation, ReplicaCounts } from "../../core/observation.ts";
import { fulcrum } from "../../scaler/decide/controller.ts";
import type { Prior } from "../../scaler/decide/controller.types.ts";
import { policyFromJson } from "../../scaler/policy/load.ts";
import type { Policy } from "../../scaler/policy/schema.ts";
import { defaultProfile, parseProfile } from "../../sim/profiles/load.ts";
import { toPrior } from "../../scaler/policy/profile.ts";
import { observationFromJson } from "../../wire/observation.ts";
import { type Asked, ask, assumedCounts, expectedStarting, nothingAsked } from "./asked.ts";
import { MAX_LINE_BYTES } from "./lines.ts";

/** Closed set, documented in docs/plan.md. */
export type PlanErrorCode =
  | "PLAN_TOO_LONG"
  | "PLAN_SYNTAX"
  | "PLAN_TYPE"
  | "PLAN_NO_HELLO"
  | "PLAN_POLICY"
  | "PLAN_PROFILE"
  | "PLAN_OBSERVATION"
  | "PLAN_TIME"
  | "PLAN_FAILED";

export interface PlanError {
  readonly type: "error";
  readonly line: number;
  readonly code: PlanErrorCode;
  readonly message: string;
}

export type PlanAnswer = { readonly type: "ready" } | Decision | PlanError;

export interface PlanSession {
  /** Whether a hello was understood. */
  readonly greeted: boolean;
  /** One answer per line; a bad line leaves the session as it was. `text` undefined = longer than the limit. */
  answer(line: number, text: string | undefined): PlanAnswer;
}

interface Running {
  readonly policy: Policy;
  readonly prior: Prior;
  readonly state: ReturnType<typeof fulcrum.start> | undefined;
  readonly at: number | undefined;
  /** Seconds between the last two observations. */
  readonly gap: number | undefined;
  readonly asked: Asked;
  /** Pools whose replicas the driver has counted, once at least. */
  readonly counted: Readonly<Record<Role, boolean>>;
}

type Role = keyof Asked;
const nothingCounted = { prefill: false, decode: false };

/** Problems named per line; the rest is repetition. */
const MAX_PROBLEMS = 8;

export function createPlanSession(): PlanSession {
  let running: Running | undefined;
  return {
    get greeted() {
      return running !== undefined;
    },
    answer(line, text) {
      const bad = (code: PlanErrorCode, ...problems: readonly string[]): PlanError => {
        const told = problems.slice(0, MAX_PROBLEMS);
        if (problems.length > told.length) told.push(`and ${problems.length - told.length} more`);
        return { type: "error", line, code, message: told.join("; ") };
      };
      if (text === undefined) return bad("PLAN_TOO_LONG", `the line is longer than ${MAX_LINE_BYTES} bytes and was dropped`);
      const message = parseJson(text);
      if (typeof message === "string") return bad("PLAN_SYNTAX", message);
      switch (message["type"]) {
        case "hello": {
          const greeted = greet(message, bad);
          if ("type" in greeted) return greeted;
          running = greeted;
          return { type: "ready" };
        }
        case "observation": {
          if (running === undefined) return bad("PLAN_NO_HELLO", `the first line must be {"type":"hello","policy":{…}}`);
          const observed = observe(running, message, bad);
          if ("type" in observed) return observed;
          running = observed.running;
          return observed.decision;
        }
        default:
          return bad(
            "PLAN_TYPE",
            `type: write "hello" or "observation", not ${JSON.stringify(message["type"]) ?? "nothing"}`.slice(0, 200),
          );
      }
    },
  };
}

type Bad = (code: PlanErrorCode, ...problems: readonly string[]) => PlanError;

function greet(message: Readonly<Record<string, unknown>>, bad: Bad): Running | PlanError {
  const policy = policyFromJson(message["policy"]);
  if (!policy.ok) return bad("PLAN_POLICY", ...policy.error.map((issue) => `${issue.code} ${issue.message}`));
  const written = message["profile"];
  const fresh = { policy: policy.value, state: undefined, at: undefined, gap: undefined, asked: nothingAsked, counted: nothingCounted };
  if (written === undefined || written === null) return { ...fresh, prior: toPrior(defaultProfile) };
  const profile = parseProfile(JSON.stringify(written), "profile");
  if (!profile.ok) return bad("PLAN_PROFILE", ...profile.error);
  return { ...fresh, prior: toPrior(profile.value) };
}

function observe(
  running: Running,
  message: Readonly<Record<string, unknown>>,
  bad: Bad,
): { readonly running: Running; readonly decision: Decision } | PlanError {
  const parsed = observationFromJson(message, running.at, (role, ready, at) =>
    expectedStarting(running.asked, role, ready, at, running.policy.spec),
  );
  if (!parsed.ok) return bad("PLAN_OBSERVATION", ...parsed.error.map((problem) => `${problem.field}: ${problem.message}`));
  const observation = parsed.value;
  if (running.at !== undefined && observation.at < running.at) {
    return bad("PLAN_TIME", `at: ${observation.at} lies before the last observation (${running.at}); send a new hello to start over`);
  }
  try {
    return tick(running, observation);
  } catch (error) {
    // A bug of ours must not end another program's simulation; the state before this line goes on.
    return bad("PLAN_FAILED", error instanceof Error ? error.message : String(error));
  }
}

/** The first observation holds, for nothing was advised yet; a driver that has counted a pool before is not second-guessed. */
function withCounts({ counted, asked, at: previousAt, policy }: Running, o: Observation): Observation {
  const { prefill, decode } = o.pools;
  const missing = (role: Role): boolean => previousAt !== undefined && !counted[role] && o.pools[role]?.replicas === undefined;
  const counts = (role: Role) => ({ replicas: assumedCounts(asked, role, o.at, policy.spec) });
  return {
    ...o,
    pools: {
      ...(prefill && { prefill: missing("prefill") ? { ...prefill, ...counts("prefill") } : prefill }),
      ...(decode && { decode: missing("decode") ? { ...decode, ...counts("decode") } : decode }),
    },
  };
}

function tick(running: Running, seen: Observation): { readonly running: Running; readonly decision: Decision } {
  const { policy, prior } = running;
  const counted = {
    prefill: running.counted.prefill || seen.pools.prefill?.replicas !== undefined,
    decode: running.counted.decode || seen.pools.decode?.replicas !== undefined,
  };
  const observation = withCounts({ ...running, counted }, seen);
  const before = running.state ?? fulcrum.start(policy, prior, observation.at);
  const gap = running.at === undefined ? undefined : observation.at - running.at;
  const { state, decision } = fulcrum.tick(before, observation, paced(policy, gap, running.gap));
  // What the first answer asks for where nothing was counted is taken to run.
  const there = (role: Role): ReplicaCounts | undefined =>
    observation.pools[role]?.replicas ??
    (running.at === undefined ? { ready: decision.pools[role].replicas, starting: [], draining: 0 } : undefined);
  const asked = {
    prefill: ask(running.asked, "prefill", there("prefill"), decision),
    decode: ask(running.asked, "decode", there("decode"), decision),
  };
  return { running: { policy, prior, state, at: observation.at, gap, asked, counted }, decision };
}

/**
 * The driver sets the pace, not the policy's interval: what comes as slowly twice in a row is no gap in the evidence, after which
 * nothing would scale down for a stabilization window.
 */
function paced(policy: Policy, gap: number | undefined, gapBefore: number | undefined): Policy {
  const { spec } = policy;
  const interval = Math.max(spec.behavior.interval, Math.min(gap ?? 0, gapBefore ?? 0));
  return { ...policy, spec: { ...spec, behavior: { ...spec.behavior, interval } } };
}

/** The object of a line, or what is wrong with it. */
function parseJson(text: string): Readonly<Record<string, unknown>> | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const hint = /\b(NaN|-?Infinity)\b/.test(text) ? "; JSON knows no NaN or Infinity: leave the field out" : "";
    return `not JSON: ${error instanceof Error ? error.message : String(error)}`.slice(0, 200) + hint;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "a line holds one JSON object";
  return value as Readonly<Record<string, unknown>>;
}
