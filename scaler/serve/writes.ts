import type { IncomingMessage } from "node:http";
import { parseDuration } from "../../core/duration.ts";
import { ALL_POLICIES, inForce, MODES, restraint, type Mode, type Overrides } from "../../core/override.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { OverrideEdit } from "../overrides/document.ts";
import type { Policy } from "../policy/schema.ts";
import { json, type Reply } from "./http.ts";
import type { Identify } from "./named-tokens.ts";
import { sameOrigin } from "./same-origin.ts";

export interface WriteDeps {
  /** Undefined = nobody may write. */
  readonly identify: Identify | undefined;
  readonly policies: () => readonly { readonly name: string; readonly policy: Policy }[];
  readonly overrides: () => Overrides;
  readonly change: (edit: OverrideEdit) => Promise<Result<void, string>>;
  /** Unix seconds. */
  readonly clock: () => number;
  readonly onWrite: (action: Action, outcome: "done" | "refused" | "unauthorized" | "disabled" | "failed") => void;
}

const ACTIONS = ["pause", "resume", "mode"] as const;
type Action = (typeof ACTIONS)[number];

const MAX_BODY = 4096;
const MAX_REASON = 500;
const MAX_SECONDS = 366 * 86_400;

/**
 * `POST /api/pause`, `/api/resume` and `/api/mode` for all policies, `/api/policies/NAMESPACE/NAME/…` (or `/api/policies/NAME/…`, where only
 * one has that name) for one. A write lowers what a policy's own mode lets the scaler do, or takes that back; it never raises it.
 * Undefined for other paths.
 */
export function createWrites(deps: WriteDeps): (path: string, request: IncomingMessage) => Promise<Reply> | undefined {
  return (path, request) => {
    const [, one, verb] = /^\/api\/(?:policies\/(.+)\/)?(\w+)$/.exec(path) ?? [];
    const action = ACTIONS.find((a) => a === verb);
    return action === undefined ? undefined : write(deps, action, one, request);
  };
}

async function write(deps: WriteDeps, action: Action, one: string | undefined, request: IncomingMessage): Promise<Reply> {
  const by = mayWrite(deps, request);
  if (!by.ok) {
    deps.onWrite(action, by.error.outcome);
    return by.error.reply;
  }
  const refuse = (status: number, error: string): Reply => {
    deps.onWrite(action, "refused");
    return json({ error }, status);
  };
  const body = await readBody(request);
  if (!body.ok) return refuse(body.error.status, body.error.text);
  const asked = parse(action, body.value, deps.clock());
  if (!asked.ok) return refuse(400, asked.error);
  const policies = deps.policies();
  const named = one === undefined ? ok(undefined) : find(policies, decode(one));
  if (!named.ok) return refuse(404, named.error);
  const { mode, ...more } = asked.value;
  const own = named.value?.policy.spec.mode;
  if (mode !== null && own !== undefined && restraint(mode) < restraint(own)) {
    const text = `the policy's own mode is ${own}: a write can only lower what it does; for ${mode} change \`mode\` where the policy is written`;
    return refuse(409, text);
  }
  const name = named.value?.name ?? ALL_POLICIES;
  // Its own mode is what holds without an override. A pause stays a pause, should the policy be edited meanwhile.
  const lowered = mode === null || mode === "enforce" || (action === "mode" && mode === own) ? null : mode;
  const done = await deps.change({ name, by: by.value, at: deps.clock(), mode: lowered, ...more });
  if (!done.ok) {
    deps.onWrite(action, "failed");
    return json({ error: `nothing was changed: ${done.error}` }, 503);
  }
  deps.onWrite(action, "done");
  const concerned = named.value === undefined ? policies : [named.value];
  return json({ policies: concerned.map((p) => carriedOut(p, deps.overrides(), deps.clock())) });
}

interface Refusal {
  readonly reply: Reply;
  readonly outcome: "refused" | "unauthorized" | "disabled";
}

/** The name of who may. A browser cannot be made to send a bearer token: no page of others writes with the operator's rights. */
function mayWrite({ identify }: WriteDeps, request: IncomingMessage): Result<string, Refusal> {
  const no = (status: number, outcome: Refusal["outcome"], error: string, headers: Record<string, string> = {}): Result<string, Refusal> =>
    err({ outcome, reply: { ...json({ error }, status), headers } });
  if (identify === undefined)
    return no(403, "disabled", "writing is off: set writeTokens (FULCRUM_WRITE_TOKENS) to a file of names and tokens");
  if (!sameOrigin(request.headers)) return no(403, "refused", "requests of other origins are not taken");
  const by = identify(request.headers.authorization);
  if (by === undefined) {
    const challenge = { "www-authenticate": 'Bearer realm="fulcrum"' };
    return no(401, "unauthorized", "present one of the scaler's writeTokens, as Authorization: Bearer TOKEN", challenge);
  }
  if (!/^application\/json\s*(;|$)/i.test(request.headers["content-type"] ?? ""))
    return no(415, "refused", "send JSON, with content-type: application/json");
  return ok(by);
}

async function readBody(request: IncomingMessage): Promise<Result<unknown, { readonly status: number; readonly text: string }>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).byteLength; // no encoding is set: chunks are buffers
    if (size > MAX_BODY) return err({ status: 413, text: `over ${MAX_BODY} bytes` });
    chunks.push(chunk as Buffer);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  try {
    return ok(text.trim() === "" ? {} : (JSON.parse(text) as unknown));
  } catch {
    return err({ status: 400, text: 'not JSON; write for example {"for":"30m","reason":"node pool is being replaced"}' });
  }
}

interface Asked {
  readonly mode: Mode | null;
  readonly reason?: string;
  readonly until?: number;
}

const FIELDS: Readonly<Record<Action, readonly string[]>> = {
  pause: ["for", "reason"],
  resume: ["reason"],
  mode: ["mode", "for", "reason"],
};

function parse(action: Action, body: unknown, now: number): Result<Asked, string> {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return err("the body is an object, or empty");
  const fields: Readonly<Record<string, unknown>> = { ...body };
  const odd = Object.keys(fields).find((key) => !FIELDS[action].includes(key));
  if (odd !== undefined) return err(`${odd.slice(0, 40)}: no such field; ${action} takes ${FIELDS[action].join(", ")}`);
  const { for: lasting, reason, mode } = fields;
  const said = reason === undefined ? ok({}) : reasonOf(reason);
  if (!said.ok) return said;
  const until = lasting === undefined ? ok({}) : untilOf(lasting, now);
  if (!until.ok) return until;
  if (action !== "mode") return ok({ mode: action === "pause" ? "paused" : null, ...said.value, ...until.value });
  const wanted = MODES.find((m) => m === mode);
  if (wanted === undefined) return err(`mode: one of ${MODES.join(", ")}`);
  return ok({ mode: wanted, ...said.value, ...until.value });
}

/** One line: it goes into logs, conditions and pages. */
function reasonOf(reason: unknown): Result<{ reason?: string }, string> {
  if (typeof reason !== "string" || reason.length > MAX_REASON) return err(`reason: text of at most ${MAX_REASON} characters`);
  const text = reason.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").trim();
  return ok(text === "" ? {} : { reason: text });
}

function untilOf(lasting: unknown, now: number): Result<{ until: number }, string> {
  const seconds = typeof lasting === "string" ? parseDuration(lasting.trim()) : undefined;
  if (seconds === undefined || !(seconds > 0) || seconds > MAX_SECONDS) return err("for: a duration up to 366d, for example 30m or 2h");
  return ok({ until: now + seconds });
}

interface Named {
  readonly name: string;
  readonly policy: Policy;
}

function find(policies: readonly Named[], wanted: string): Result<Named, string> {
  const found = policies.filter(({ name, policy }) => name === wanted || policy.metadata.name === wanted);
  const [first, ...more] = found;
  if (first !== undefined && more.length === 0) return ok(first);
  const known = (found.length > 0 ? found : policies).slice(0, 20).map(({ name }) => name);
  const why = found.length > 0 ? "more than one policy has that name" : `there is no policy ${wanted.slice(0, 200)} here`;
  return err(`${why}; name one of ${known.join(", ") || "none: no policy runs"}`);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function carriedOut({ name, policy }: Named, overrides: Overrides, now: number): unknown {
  const own = policy.spec.mode;
  const override = inForce(overrides, name, own, now) ?? null;
  return { name, policyMode: own, mode: override?.mode ?? own, override };
}
