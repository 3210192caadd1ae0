import { clock, iso } from "../clock.ts";
import { policy } from "../live.ts";

const DOES = {
  paused: "Paused: the pools are left as they are",
  observe: "Set to observe: decisions are shown, not applied",
} as const;

/** Who has set the policy to do less than it says; nothing where nobody has. */
export function Override() {
  const override = policy.value?.override ?? null;
  if (override === null) return null;
  const { mode, by, at, until, reason } = override;
  return (
    <p class="override" role="status" title={`since ${iso(at)}${until === undefined ? "" : ` until ${iso(until)}`}`}>
      {`${DOES[mode]}, by ${by} since ${clock(at)}`}
      {until === undefined ? "" : ` until ${clock(until)}`}
      {reason === undefined ? "" : `: ${reason}`}
    </p>
  );
}
