import type { JsonSchema } from "../../scaler/policy/json-schema.ts";
import type { Rule, Structural } from "./structural.ts";

/**
 * The cross-field rules of scaler/policy/rules.ts that an API server can judge, in CEL with optional types (Kubernetes 1.29). What it
 * cannot (cron expressions, time zones, bounds of durations) the scaler judges when it reads the object: condition Ready.
 */
const count = (role: string): string => `self.?pools.?${role}.?replicas.?min.orValue(1) * self.?pools.?${role}.?gpusPerReplica.orValue(1)`;
const max = (role: string): string => `self.?pools.?${role}.?replicas.?max.hasValue()`;
const BUDGET = "self.?budget.?gpus";
/** Of each entry. `self.?schedule.orValue([])` would do in CEL, but not for an API server: its list has no known bound, so its cost has none. */
const everyEntry = (rule: string): string => `!has(self.schedule) || self.schedule.all(e, ${rule})`;

/** An entry's floor, or the pool's minimum where that is higher or the entry has none, times the GPUs of a replica. */
const floor = (role: string): string => {
  const [asked, least] = [`e.?${role}.?min.orValue(1)`, `self.?pools.?${role}.?replicas.?min.orValue(1)`];
  return `(${asked} > ${least} ? ${asked} : ${least}) * self.?pools.?${role}.?gpusPerReplica.orValue(1)`;
};

const belowMax = (role: string): string =>
  everyEntry(`e.?${role}.?min.orValue(1) <= self.?pools.?${role}.?replicas.?max.orValue(e.?${role}.?min.orValue(1))`);

const SPEC: readonly Rule[] = [
  {
    rule: `${BUDGET}.hasValue() || (${max("prefill")} && ${max("decode")})`,
    message: "no upper bound: write budget.gpus, or replicas.max of both pools",
  },
  {
    rule: `!${BUDGET}.hasValue() || ${count("prefill")} + ${count("decode")} <= ${BUDGET}.orValue(0)`,
    message: "the pools' minimums alone need more GPUs than budget.gpus",
  },
  {
    rule: `!${BUDGET}.hasValue() || ${everyEntry(`${floor("prefill")} + ${floor("decode")} <= ${BUDGET}.orValue(0)`)}`,
    message: "a schedule entry needs more GPUs than budget.gpus",
  },
  { rule: belowMax("prefill"), message: "a schedule entry's prefill.min is above pools.prefill.replicas.max" },
  { rule: belowMax("decode"), message: "a schedule entry's decode.min is above pools.decode.replicas.max" },
];

const OBJECTIVES: readonly Rule[] = [
  { rule: "has(self.ttft) || has(self.itl)", message: "no objective: write ttft: {target: 500ms} or itl: {target: 30ms}" },
];
const ENTRY: readonly Rule[] = [
  { rule: "has(self.prefill) || has(self.decode)", message: "sets no floor: write prefill: {min: N} or decode: {min: N}" },
];
/** Works on both halves of int-or-string. */
const positive = (field: string): Rule => ({ rule: `string(self.${field}).matches('[1-9]')`, message: `${field} must be more than zero` });
const positiveIfGiven = (field: string): Rule => ({
  rule: `!has(self.${field}) || string(self.${field}).matches('[1-9]')`,
  message: `${field} must be more than zero`,
});

const AT: Readonly<Record<string, readonly Rule[]>> = {
  "": SPEC,
  objectives: OBJECTIVES,
  "objectives.ttft": [positive("target")],
  "objectives.itl": [positive("target")],
  "behavior.scaleUp": [positiveIfGiven("step")],
  "behavior.scaleDown": [positiveIfGiven("step")],
  "schedule[]": ENTRY,
};

/** Adds the rules where they belong, and to every range that its min is at most its max. `source` still has the defaults. */
export function addRules(node: Structural, source: JsonSchema, path = ""): Structural {
  const rules = [...(AT[path] ?? []), ...order(source)];
  const properties = Object.entries(node.properties ?? {}).map(([key, value]) => {
    const next = path === "" ? key : `${path}.${key}`;
    return [key, addRules(value, source.properties?.[key] ?? {}, next)] as const;
  });
  return {
    ...node,
    ...(properties.length > 0 ? { properties: Object.fromEntries(properties) } : {}),
    ...(node.items === undefined ? {} : { items: addRules(node.items, source.items ?? {}, `${path}[]`) }),
    ...(rules.length > 0 ? { "x-kubernetes-validations": rules } : {}),
  };
}

/** Paths that have rules: a renamed field must not leave its rule behind. */
export const RULED_PATHS: readonly string[] = Object.keys(AT);

function order({ properties, required }: JsonSchema): readonly Rule[] {
  const { min, max: most } = properties ?? {};
  if (min === undefined || most === undefined) return [];
  const message = "max is below min";
  const always = Array.isArray(required) && required.includes("min") && required.includes("max");
  if (always) return [{ rule: "self.min <= self.max", message }];
  const least = `self.?min.orValue(${String(min["default"])})`;
  const top = most["default"] === undefined ? least : String(most["default"]);
  return [{ rule: `${least} <= self.?max.orValue(${top})`, message }];
}
