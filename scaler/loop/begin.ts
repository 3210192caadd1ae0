import type { Prior } from "../decide/controller.types.ts";
import { digest } from "../decide/digest.ts";
import type { PolicyCheckpoint } from "../journal/checkpoint.ts";
import type { Log } from "../log.ts";
import type { Policy } from "../policy/schema.ts";
import type { ControllerKit } from "./kit.ts";

export interface BeginInput<State> {
  readonly kit: ControllerKit<State>;
  readonly policy: Policy;
  readonly prior: Prior;
  readonly at: number;
  readonly name: string;
  readonly kept: PolicyCheckpoint | undefined;
  readonly log: Log;
}

/** The state before the first tick: resumed when the checkpoint is about the same pools, prior and controller, else new. */
export function begin<State>(input: BeginInput<State>): State {
  const { kit, policy, prior, at, kept } = input;
  if (kept !== undefined && matches(input, kept)) {
    try {
      return plain(kit.resume(kept.state as State, policy, at));
    } catch (error) {
      input.log.warn({ err: error, policy: input.name }, "checkpoint: the kept state cannot be resumed; learning starts anew");
    }
  }
  return plain(kit.controller.start(policy, prior, at));
}

function matches<State>({ kit, policy, prior }: BeginInput<State>, kept: PolicyCheckpoint): boolean {
  return kept.controller === kit.controller.name && kept.subjectDigest === subject(policy) && kept.priorDigest === digest(prior);
}

/** What the learned figures are about. Objectives, bounds and behavior may be edited without losing them. */
function subject({ spec }: Policy): string {
  const { prefill, decode } = spec.pools;
  return digest([spec.model ?? null, [prefill, decode].map((p) => [p.target ?? null, p.gpusPerReplica])]);
}

/** As JSON keeps it: so that a replay, which starts from JSON, starts from exactly this. */
export const plain = <State>(state: State): State => JSON.parse(JSON.stringify(state)) as State;

export const checkpointOf = <State>(
  kit: ControllerKit<State>,
  policy: Policy,
  prior: Prior,
  at: number,
  state: State,
): PolicyCheckpoint => ({
  controller: kit.controller.name,
  subjectDigest: subject(policy),
  priorDigest: digest(prior),
  at,
  state,
});
