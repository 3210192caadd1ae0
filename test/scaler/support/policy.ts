import { parsePolicies } from "../../../scaler/policy/load.ts";
import { formatProblem } from "../../../scaler/policy/problem.ts";
import type { Policy } from "../../../scaler/policy/schema.ts";

export const POLICY_TEXT = `apiVersion: fulcrum.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: test, namespace: demo }
spec:
  mode: enforce
  objectives:
    ttft: { target: 500ms }
    itl: { target: 30ms }
  budget: { gpus: 8 }
  pools:
    prefill:
      target: { apiVersion: fulcrum.dev/v1alpha1, kind: FleetPool, name: prefill }
      batch: { apply: live }
    decode:
      target: { apiVersion: fulcrum.dev/v1alpha1, kind: FleetPool, name: decode }
      batch: { apply: recommend }
  behavior: { interval: 100ms }
`;

export function policyOf(text: string = POLICY_TEXT): Policy {
  const parsed = parsePolicies(text, "test.yaml");
  if (!parsed.ok) throw new Error(parsed.error.map(formatProblem).join("\n"));
  const [policy] = parsed.value;
  if (policy === undefined) throw new Error("no policy");
  return policy;
}
