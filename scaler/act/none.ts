import { err } from "../../core/result.ts";
import type { Actuator } from "./actuator.ts";

/** No cluster to ask: replica counts stay absent, so every decision holds. */
export function createNoActuator(why: string): Actuator {
  return {
    facts: async () => err(why),
    apply: async () => ({ outcome: "failed", actions: [], error: why }),
  };
}
