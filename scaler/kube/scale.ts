import { err, ok, type Result } from "../../core/result.ts";
import type { KubeApi, KubeError } from "./api.ts";
import { scaleSchema, type Scale } from "./objects.ts";
import type { KubeTarget } from "./rivals.ts";
import { pause, read } from "./transport.ts";

/** Whose fields our changes are, in `metadata.managedFields`. */
const FIELD_MANAGER = "fulcrum";
const MAX_ATTEMPTS = 4;
/** Seconds a server's Retry-After is followed within one tick. */
const MAX_WAIT = 2;

const pathOf = ({ resource, namespace, name }: KubeTarget): string =>
  `${resource.root}/namespaces/${namespace}/${resource.plural}/${name}/scale`;
const nameOf = ({ resource, namespace, name }: KubeTarget): string => `${resource.kind} ${namespace}/${name}`;

export async function readScale(api: KubeApi, target: KubeTarget, signal: AbortSignal): Promise<Result<Scale, string>> {
  const answer = await read(api, { path: pathOf(target) }, signal);
  if (!answer.ok) return err(answer.error.status === 404 ? `there is no ${nameOf(target)}` : answer.error.message);
  const parsed = scaleSchema.safeParse(answer.value);
  return parsed.success ? ok(parsed.data) : err(`${nameOf(target)}: its scale is not one: ${parsed.error.issues[0]?.message ?? ""}`);
}

export interface ScaleChange {
  readonly target: KubeTarget;
  readonly from: number;
  readonly to: number;
  /** The version of the target that `from` was read from. */
  readonly version: string;
}

/**
 * Writes a count on the condition that nothing about the target changed since it was read. A refusal for another reason than a new
 * count (a rollout writes its status all the time) is tried again on what is there now; an answer that never came is looked up. The
 * fence is asked before every attempt, last of all.
 */
export async function writeScale(
  api: KubeApi,
  change: ScaleChange,
  fence: (signal: AbortSignal) => Promise<Result<undefined, string>>,
  signal: AbortSignal,
): Promise<Result<undefined, string>> {
  const { target, from, to } = change;
  let { version } = change;
  for (let attempt = 1; ; attempt++) {
    const led = await fence(signal);
    if (!led.ok) return led;
    const answer = await api.call(
      {
        method: "PATCH",
        path: pathOf(target),
        query: { fieldManager: FIELD_MANAGER },
        contentType: "application/merge-patch+json",
        body: { metadata: { resourceVersion: version }, spec: { replicas: to } },
      },
      signal,
    );
    if (answer.ok) return ok(undefined);
    if (!passing(answer.error)) return err(answer.error.message);
    if (answer.error.retryAfter !== undefined) await pause(Math.min(MAX_WAIT, answer.error.retryAfter), signal);
    const now = await readScale(api, target, signal);
    if (!now.ok) return err(`${answer.error.message}; then ${now.error}`);
    const { replicas } = now.value.spec;
    if (replicas === to) return ok(undefined);
    if (replicas !== from)
      return err(`${nameOf(target)}: replicas went from ${from} to ${replicas} while it was to be set to ${to}; deciding anew`);
    if (attempt >= MAX_ATTEMPTS) return err(`${answer.error.message}; ${attempt} attempts`);
    version = now.value.metadata.resourceVersion;
  }
}

/** Errors that say nothing against the change itself. */
const passing = ({ status }: KubeError): boolean => status === undefined || status === 409 || status === 429 || status >= 500;
