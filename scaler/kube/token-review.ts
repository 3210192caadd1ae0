import { createHash } from "node:crypto";
import { z } from "zod";
import { err, ok, type Result } from "../../core/result.ts";
import { admitted, refused, type Admission } from "../intake/admission.ts";
import type { KubeApi } from "./api.ts";

/** Says who presents a ServiceAccount token, by asking the API server. */
export interface TokenReviewer {
  review(token: string): Promise<Admission>;
}

export interface TokenReviewOptions {
  readonly api: KubeApi;
  /** What tokens must have been made for: one that was made for the API server itself, or for another service, is worth nothing here. */
  readonly audience: string;
  /** `namespace/serviceaccount`. */
  readonly accounts: ReadonlySet<string>;
  /** Seconds that only grow. */
  readonly clock: () => number;
  readonly signal: AbortSignal;
}

/** Seconds for which an answer is believed. A token that is taken back (its pod was deleted) opens no connection after this. */
const KEEP = { admitted: 60, refused: 10 };
const MAX_KEPT = 5000;
/** Reviews under way, and waiting: after a restart all agents come at once. */
const AT_ONCE = 16;
const MAX_WAITING = 2000;
/** A projected token has about 1 kB. */
const MAX_TOKEN = 8192;
/** header.payload.signature, base64url: whatever else somebody presents is not sent to anybody. */
const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

const reviewSchema = z.object({
  status: z
    .object({
      authenticated: z.boolean().nullish(),
      error: z.string().nullish(),
      audiences: z.array(z.string()).nullish(),
      user: z.object({ username: z.string().nullish(), extra: z.record(z.string(), z.array(z.string())).nullish() }).nullish(),
    })
    .nullish(),
});

/** The node of the pod that the token was made for; API servers say it since Kubernetes 1.30. */
const NODE = "authentication.kubernetes.io/node-name";

/**
 * Answers are kept for a short time, by the token's digest, and asked for once however many ask. An API server that does not answer makes
 * nobody welcome: `auth-unavailable`, for the moment, and not kept.
 */
export function createTokenReviewer(options: TokenReviewOptions): TokenReviewer {
  const { api, audience, clock, signal } = options;
  const kept = new Map<string, { readonly until: number; readonly admission: Admission }>();
  const asked = new Map<string, Promise<Admission>>();
  const gate = createGate(AT_ONCE, MAX_WAITING);

  const ask = async (token: string): Promise<Admission> => {
    const answer = await gate(() =>
      api.call(
        {
          method: "POST",
          path: "/apis/authentication.k8s.io/v1/tokenreviews",
          body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token, audiences: [audience] } },
        },
        signal,
      ),
    );
    if (answer === undefined) return refused("auth-unavailable", "too many agents wait for their tokens to be reviewed");
    if (!answer.ok) return refused("auth-unavailable", `the token cannot be reviewed: ${answer.error.message}`);
    const parsed = reviewSchema.safeParse(answer.value);
    if (!parsed.success) return refused("auth-unavailable", "the token cannot be reviewed: the answer is no TokenReview");
    return judge(parsed.data.status ?? {}, options);
  };

  const remember = (key: string, admission: Admission): void => {
    if (!admission.ok && admission.code === "auth-unavailable") return;
    kept.delete(key);
    kept.set(key, { until: clock() + (admission.ok ? KEEP.admitted : KEEP.refused), admission });
    const [oldest] = kept.keys();
    if (kept.size > MAX_KEPT && oldest !== undefined) kept.delete(oldest);
  };

  return {
    review(token) {
      if (token.length > MAX_TOKEN || !JWT.test(token)) return Promise.resolve(refused("unauthorized", "not a ServiceAccount token"));
      const key = createHash("sha256").update(token).digest("base64");
      const known = kept.get(key);
      if (known !== undefined && clock() < known.until) return Promise.resolve(known.admission);
      const running = asked.get(key);
      if (running !== undefined) return running;
      const review = ask(token)
        .then((admission) => {
          remember(key, admission);
          return admission;
        })
        .finally(() => asked.delete(key));
      asked.set(key, review);
      return review;
    },
  };
}

type Status = NonNullable<z.output<typeof reviewSchema>["status"]>;

function judge({ authenticated, error, audiences, user }: Status, { audience, accounts }: TokenReviewOptions): Admission {
  if (authenticated !== true)
    return refused("unauthorized", `the API server does not know the token${error ? `: ${error.slice(0, 200)}` : ""}`);
  // An API server that knows nothing of audiences says none; it would let any token of the cluster in.
  if (audiences?.includes(audience) !== true) return refused("unauthorized", `the token was not made for the audience ${audience}`);
  const account = accountOf(user?.username ?? "");
  if (!account.ok) return refused("unauthorized", account.error);
  if (!accounts.has(account.value)) return refused("unauthorized", `ServiceAccount ${account.value} is not among agentAccounts`);
  return admitted(user?.extra?.[NODE]?.[0]);
}

/** `system:serviceaccount:fulcrum:fulcrum-agent` → `fulcrum/fulcrum-agent` */
function accountOf(username: string): Result<string, string> {
  const [, namespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(username) ?? [];
  return namespace === undefined || name === undefined ? err(`${username.slice(0, 200)} is no ServiceAccount`) : ok(`${namespace}/${name}`);
}

/** Runs at most `most` at once; undefined for one that found `waiting` others waiting. */
function createGate(most: number, waiting: number): <T>(run: () => Promise<T>) => Promise<T | undefined> {
  let running = 0;
  const queue: (() => void)[] = [];
  return async (run) => {
    if (running >= most) {
      if (queue.length >= waiting) return undefined;
      await new Promise<void>((resolve) => queue.push(resolve));
    }
    running++;
    try {
      return await run();
    } finally {
      running--;
      queue.shift()?.();
    }
  };
}
