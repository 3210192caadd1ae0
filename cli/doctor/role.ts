import type { EngineTarget } from "../../core/targets.ts";
import type { Role } from "../../core/pool.ts";
import { type Finding, warning } from "./finding.ts";

const FRONTENDS: readonly EngineTarget["engine"][] = ["dynamo-frontend", "dynamo-router", "llm-d-epp"];
/** SGLang's `engine_type` and the `disaggregation_mode` of Dynamo's TensorRT-LLM worker; other engines do not say. */
const SAID = /^[a-z]+[:_]\w+\{(?:[^}\n]*,)?(?:engine_type|disaggregation_mode)="(unified|prefill|decode)"/m;
const ROLES: Readonly<Record<string, Role>> = { unified: "aggregated", prefill: "prefill", decode: "decode" };

/** Whether the page contradicts the role that the targets file gives it: then its figures would be read for what they are not. */
export function roleFindings(what: string, target: EngineTarget, page: string): readonly Finding[] {
  const own = FRONTENDS.includes(target.engine) ? "frontend" : ROLES[SAID.exec(page)?.[1] ?? ""];
  if (own === undefined || own === target.role) return [];
  return [
    warning(
      what,
      `the page is of the role ${own}, the targets file says ${target.role}`,
      "set `role` in the targets file",
      "engine-role-mismatch",
    ),
  ];
}
