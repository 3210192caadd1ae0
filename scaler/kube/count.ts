import { err, ok, type Result } from "../../core/result.ts";
import type { KubeApi, KubeError } from "./api.ts";
import { readPart } from "./part.ts";
import { readScale } from "./scale.ts";
import { targetName, type Count, type KubeTarget } from "./target.ts";
import { pause } from "./transport.ts";

const MAX_ATTEMPTS = 4;
/** Seconds a server's Retry-After is followed within one tick. */
const MAX_WAIT = 2;

export function readCount(api: KubeApi, target: KubeTarget, signal: AbortSignal): Promise<Result<Count, string>> {
  return target.part === undefined ? readScale(api, target, signal) : readPart(api, target, target.part, signal);
}

export interface CountChange {
  readonly target: KubeTarget;
  readonly from: Count;
  readonly to: number;
}

/**
 * Writes a count on the condition that nothing about the target changed since it was read. A refusal for another reason than a new
 * count (a rollout writes its status all the time) is tried again on what is there now; an answer that never came is looked up. The
 * fence is asked before every attempt, last of all.
 */
export async function writeCount(
  api: KubeApi,
  { target, from, to }: CountChange,
  fence: (signal: AbortSignal) => Promise<Result<undefined, string>>,
  signal: AbortSignal,
): Promise<Result<undefined, string>> {
  const { least = 0 } = from;
  if (to < least && to < from.replicas)
    return err(`${targetName(target)} must keep ${least} replicas: that many are always to be available`);
  for (let attempt = 1, current = from; ; attempt++) {
    const led = await fence(signal);
    if (!led.ok) return led;
    const answer = await api.call(current.write(to), signal);
    if (answer.ok) return ok(undefined);
    if (!passing(answer.error)) return err(answer.error.message);
    if (answer.error.retryAfter !== undefined) await pause(Math.min(MAX_WAIT, answer.error.retryAfter), signal);
    const now = await readCount(api, target, signal);
    if (!now.ok) return err(`${answer.error.message}; then ${now.error}`);
    const { replicas } = now.value;
    if (replicas === to) return ok(undefined);
    if (replicas !== from.replicas)
      return err(
        `${targetName(target)}: replicas went from ${from.replicas} to ${replicas} while it was to be set to ${to}; deciding anew`,
      );
    if (attempt >= MAX_ATTEMPTS) return err(`${answer.error.message}; ${attempt} attempts`);
    current = now.value;
  }
}

/** Errors that say nothing against the change itself. */
const passing = ({ status }: KubeError): boolean => status === undefined || status === 409 || status === 429 || status >= 500;
