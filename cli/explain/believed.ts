import { fulcrum } from "../../scaler/decide/controller.ts";
import { digest } from "../../scaler/decide/digest.ts";
import { tickOverridden } from "../../scaler/decide/overridden.ts";
import type { FulcrumState, Insight } from "../../scaler/decide/state.ts";
import type { JournalRecord, TickRecord } from "../../scaler/journal/records.ts";

/** How a state says that demand has no bound by capacity: JSON has no infinity. */
const UNBOUNDED = 1e9;

/**
 * What was believed when that decision was taken: the journal holds what was seen, and deciding again from the last start on brings it
 * back. Nothing where this build does not come to the same state, or another controller decided.
 */
export function believedAt(records: readonly JournalRecord[], tick: TickRecord): Insight | undefined {
  const end = records.indexOf(tick);
  const own = records.slice(0, end + 1).filter((record) => record.name === tick.name && record.kind !== "override");
  const begin = own.findLastIndex((record) => record.kind === "start");
  const start = own[begin];
  if (start?.kind !== "start" || start.controller !== fulcrum.name) return undefined;
  const { policy } = start;
  // A start record of this controller holds its state; one of another build that it cannot go on from throws.
  let state = start.state as FulcrumState;
  try {
    for (const { observation, override } of own.slice(begin + 1).filter((record) => record.kind === "tick")) {
      state = tickOverridden(fulcrum, { state, observation, policy, override }).state;
    }
    return digest(state) === tick.stateDigest ? (state.insight ?? undefined) : undefined;
  } catch {
    return undefined;
  }
}

/** The same in words, a line each for the demand and the two pools. */
export function believedText(insight: Insight): string[] {
  const { demand } = insight;
  const pool = (role: "prefill" | "decode"): string => {
    const used = insight.utilization[role];
    const trim = insight.trim[role];
    return [
      `one replica sustains ${count(insight.velocity[role])} tokens/s`,
      used < UNBOUNDED
        ? `demand is ${percent(used)} of what ready and starting ones may carry`
        : "ready and starting ones cannot carry the demand",
      `the model errs by ${percent(insight.modelError[role])}`,
      ...(trim < 0.995 ? [`trusted for ${percent(trim)} of that since targets were missed`] : []),
      `${count(insight.leadTime[role])} s to start, ${count(insight.drainTime[role])} s to drain`,
    ].join(", ");
  };
  return [
    "",
    "Believed then",
    `  demand:  ${count(demand.arrivals)} requests/s, ${count(demand.prefillTokens)} prompt tokens/s to compute, ${count(demand.decodeTokens)} output tokens/s when what is started now is ready`,
    `  prefill: ${pool("prefill")}`,
    `  decode:  ${pool("decode")}`,
  ];
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;
/** Three digits, thousands apart. */
const count = (value: number): string => Number(value.toPrecision(3)).toLocaleString("en-US");
