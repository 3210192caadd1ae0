import { err, ok, type Result } from "../../core/result.ts";
import type { Plant, PlantRole } from "../plant/plant.types.ts";

/** What goes wrong in a back-test, in trace seconds. */
export type Fault =
  | { readonly kind: "replica-crash"; readonly at: number; readonly role: PlantRole }
  | { readonly kind: "metrics-loss"; readonly from: number; readonly to: number };

const FORMS = "replica-crash=TIME or replica-crash=TIME/prefill (the default is decode), metrics-loss=FROM-TO; times such as 90s or 10m";

/** `NAME=…` as given on the command line; `duration` turns "10m" into seconds. */
export function parseFault(text: string, duration: (text: string) => number | undefined): Result<Fault, string> {
  const bad = (why: string) => err(`--fault ${text}: ${why}; known faults: ${FORMS}`);
  const [name = "", value = ""] = text.split(/=(.*)/s);
  if (name === "replica-crash") {
    const [time = "", role = "decode"] = value.split("/");
    const at = duration(time);
    if (at === undefined) return bad(`"${time}" is not a time`);
    if (role !== "prefill" && role !== "decode") return bad(`"${role}" is not a pool`);
    return ok({ kind: "replica-crash", at, role });
  }
  if (name === "metrics-loss") {
    const [start = "", end = ""] = value.split("-");
    const from = duration(start);
    const to = duration(end);
    if (from === undefined || to === undefined) return bad(`"${value}" is not FROM-TO`);
    if (to <= from) return bad("TO must lie after FROM");
    return ok({ kind: "metrics-loss", from, to });
  }
  return bad(`there is no fault "${name}"`);
}

/** The oldest ready replica of the pool ends at once, as kill -9 would. */
export function crashOldest(plant: Plant, role: PlantRole): void {
  const victim = plant.replicas().find((replica) => replica.role === role && replica.phase === "ready");
  if (victim !== undefined) plant.crash(victim.id);
}

/** Start of the metrics loss that covers `at`, if any. */
export function lostSince(faults: readonly Fault[], at: number): number | undefined {
  for (const fault of faults) if (fault.kind === "metrics-loss" && at > fault.from && at <= fault.to) return fault.from;
  return undefined;
}
