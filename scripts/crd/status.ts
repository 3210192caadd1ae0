import type { Structural } from "./structural.ts";

const text = (description: string, maxLength: number): Structural => ({ type: "string", description, maxLength });
const time = (description: string): Structural => ({ type: "string", format: "date-time", description });
const whole = (description: string): Structural => ({ type: "integer", format: "int32", description, minimum: 0 });

const pool: Structural = {
  type: "object",
  properties: { desired: whole("Replicas that are wanted."), ready: whole("Replicas that are ready.") },
};

/** As in every Kubernetes API (metav1.Condition). */
const condition: Structural = {
  type: "object",
  required: ["type", "status", "lastTransitionTime", "reason", "message"],
  properties: {
    type: {
      type: "string",
      description:
        "Ready: the policy is valid, in conflict with no other, and its targets are seen. EvidenceFresh: enough is seen to decide. Acting: what is decided is applied.",
      maxLength: 316,
    },
    status: { type: "string", enum: ["True", "False", "Unknown"] },
    observedGeneration: { type: "integer", format: "int64", minimum: 0 },
    lastTransitionTime: time("When the status last changed."),
    reason: { type: "string", minLength: 1, maxLength: 1024, pattern: "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$" },
    message: { type: "string", maxLength: 32768 },
  },
};

/** What the scaler writes; figures that were not seen are left out, never zero. Latencies are strings with a unit, as in the spec. */
export const STATUS: Structural = {
  type: "object",
  description: "What the scaler sees and decided.",
  properties: {
    observedGeneration: { type: "integer", format: "int64", minimum: 0, description: "Generation of the spec that this is about." },
    mode: text("The mode that is in force.", 16),
    conditions: {
      type: "array",
      items: condition,
      maxItems: 16,
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["type"],
    },
    ttft: text("TTFT of the last interval, at the objective's quantile or the next of 0.5, 0.9, 0.95 and 0.99.", 32),
    itl: text("ITL of the last interval, likewise.", 32),
    prefill: pool,
    decode: pool,
    lastDecision: {
      type: "object",
      properties: {
        at: time("When it was taken."),
        reason: text("Its leading reason, one of docs/reasons.md.", 64),
        message: text("The reasons in words.", 4096),
        hold: { type: "boolean", description: "True when the pools were left as they are on purpose." },
      },
    },
  },
};

export interface Column {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  readonly jsonPath: string;
  readonly description?: string;
  /** Above 0: only with `-o wide`. */
  readonly priority?: number;
}

export const COLUMNS: readonly Column[] = [
  { name: "Mode", type: "string", jsonPath: ".spec.mode" },
  { name: "TTFT", type: "string", jsonPath: ".status.ttft", description: "at the objective's quantile" },
  { name: "Target", type: "string", jsonPath: ".spec.objectives.ttft.target", description: "TTFT target" },
  { name: "P", type: "integer", jsonPath: ".status.prefill.ready", description: "prefill replicas that are ready" },
  { name: "P-want", type: "integer", jsonPath: ".status.prefill.desired", description: "prefill replicas that are wanted" },
  { name: "D", type: "integer", jsonPath: ".status.decode.ready", description: "decode replicas that are ready" },
  { name: "D-want", type: "integer", jsonPath: ".status.decode.desired", description: "decode replicas that are wanted" },
  {
    name: "Ready",
    type: "string",
    jsonPath: ".status.conditions[?(@.type=='Ready')].status",
    description: "in use, and its targets are seen",
  },
  { name: "Acting", type: "string", jsonPath: ".status.conditions[?(@.type=='Acting')].status", description: "decisions are applied" },
  { name: "Reason", type: "string", jsonPath: ".status.lastDecision.reason", description: "leading reason of the last decision" },
  { name: "ITL", type: "string", jsonPath: ".status.itl", priority: 1 },
  { name: "ITL-target", type: "string", jsonPath: ".spec.objectives.itl.target", priority: 1 },
  { name: "Message", type: "string", jsonPath: ".status.lastDecision.message", priority: 1 },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
];
