import { policyJsonSchema } from "../../scaler/policy/json-schema.ts";
import { addRules } from "./rules.ts";
import { COLUMNS, STATUS } from "./status.ts";
import { toStructural, type Structural } from "./structural.ts";

/** The custom resource: the schema of policy files as an API server wants it, with the status that the scaler writes. */
export function policyDefinition() {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "scalingpolicies.fulcrum.dev" },
    spec: {
      group: "fulcrum.dev",
      scope: "Namespaced",
      names: {
        kind: "ScalingPolicy",
        listKind: "ScalingPolicyList",
        plural: "scalingpolicies",
        singular: "scalingpolicy",
        shortNames: ["sp"],
      },
      versions: [
        {
          name: "v1alpha1",
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: COLUMNS,
          schema: { openAPIV3Schema: rootSchema() },
        },
      ],
    },
  } as const;
}

function rootSchema(): Structural {
  const source = policyJsonSchema().properties?.["spec"];
  if (source === undefined) throw new Error("the policy's schema has no spec");
  const spec = addRules(toStructural(source, "spec"), source);
  // The one default that is set: the column Mode shows what holds.
  const mode = spec.properties?.["mode"];
  if (mode !== undefined) mode.default = "observe";
  return {
    type: "object",
    description: "Sizes the prefill and decode pools of one model so that its latency objectives hold at the least GPU cost.",
    required: ["spec"],
    properties: { apiVersion: { type: "string" }, kind: { type: "string" }, metadata: { type: "object" }, spec, status: STATUS },
  };
}
