import type { JsonSchema } from "../../scaler/policy/json-schema.ts";

/** A structural OpenAPI v3 schema, the part of it that we write. */
export interface Structural {
  type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
  description?: string;
  format?: string;
  properties?: Record<string, Structural>;
  required?: readonly string[];
  items?: Structural;
  enum?: readonly string[];
  default?: unknown;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: boolean;
  exclusiveMaximum?: boolean;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  pattern?: string;
  "x-kubernetes-int-or-string"?: true;
  "x-kubernetes-list-type"?: "map" | "atomic";
  "x-kubernetes-list-map-keys"?: readonly string[];
  "x-kubernetes-validations"?: readonly Rule[];
}

/** A CEL rule; `message` is what kubectl prints. */
export interface Rule {
  readonly rule: string;
  readonly message: string;
}

/**
 * Unions are refused by structural schemas; ours are durations and shares, "a string with its unit or a number", which is what
 * int-or-string is for. It takes whole numbers only: 0.25 must be written "25%", 0.5 seconds "500ms".
 */
const UNIT = {
  duration: {
    pattern: String.raw`^\s*(\d+(\.\d+)?(ms|s|m|h|d))+\s*$`,
    what: "a duration with a unit, for example 500ms, 90s or 5m; a whole number is seconds",
  },
  share: { pattern: String.raw`^\s*\d+(\.\d+)?%\s*$`, what: "a percentage, for example 25%; a whole number is a multiple, 1 = 100%" },
} as const;

/** zod writes the largest safe integer as a bound; Kubernetes integers are 64 bit and need none. */
const SAFE = Number.MAX_SAFE_INTEGER;

/**
 * JSON Schema (2020-12, as zod writes it) → structural schema. Refuses what it does not know, so that a new kind of field in the
 * policy's schema stops the generator and not an API server.
 */
export function toStructural(schema: JsonSchema, path: string): Structural {
  const { anyOf, description } = schema;
  if (anyOf !== undefined) return { ...intOrString(path), ...described(description, path) };
  const { type } = schema;
  switch (type) {
    case "object":
      return { type, ...described(description), ...objectOf(schema, path) };
    case "array":
      return {
        type,
        ...described(description),
        ...only(schema, ["minItems", "maxItems"]),
        items: toStructural(schema.items ?? {}, `${path}[]`),
        "x-kubernetes-list-type": "atomic",
      };
    case "string":
      // A bound on every string keeps the estimated cost of CEL rules, and the object, bounded.
      return {
        type,
        ...described(description),
        maxLength: 253,
        ...only(schema, ["enum", "minLength", "maxLength", "pattern"]),
        ...kept(schema),
      };
    case "integer":
    case "number":
      return { type, ...described(description), ...(type === "integer" ? { format: "int64" } : {}), ...bounds(schema), ...kept(schema) };
    case "boolean":
      return { type, ...described(description), ...kept(schema) };
    default:
      throw new Error(`${path}: the generator does not know this kind of field: ${JSON.stringify(schema).slice(0, 200)}`);
  }
}

function objectOf(schema: JsonSchema, path: string): Pick<Structural, "properties" | "required"> {
  const properties = Object.entries(schema.properties ?? {}).map(([key, value]) => [key, toStructural(value, `${path}.${key}`)] as const);
  if (properties.length === 0 || schema.additionalProperties !== false)
    throw new Error(`${path}: only closed objects with fields are structural`);
  return { properties: Object.fromEntries(properties), ...only(schema, ["required"]) };
}

function intOrString(path: string): Structural {
  const kind = path.endsWith(".step") ? "share" : "duration";
  return { description: UNIT[kind].what, "x-kubernetes-int-or-string": true, pattern: UNIT[kind].pattern, minimum: 0 };
}

/** Bounds are numbers in 2020-12, and a number beside a flag in OpenAPI v3.0. */
function bounds(schema: JsonSchema): Structural {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema as Record<string, number | undefined>;
  return {
    ...(minimum === undefined || minimum === -SAFE ? {} : { minimum }),
    ...(exclusiveMinimum === undefined ? {} : { minimum: exclusiveMinimum, exclusiveMinimum: true }),
    ...(maximum === undefined || maximum === SAFE ? {} : { maximum }),
    ...(exclusiveMaximum === undefined ? {} : { maximum: exclusiveMaximum, exclusiveMaximum: true }),
  };
}

/**
 * Defaults are described and not set: an API server would write them into every object, where they would stay when a later version
 * knows a better one. Files and objects are read the same way, by the scaler.
 */
function kept(schema: JsonSchema): Pick<Structural, "description"> {
  return schema["default"] === undefined ? {} : { description: `Default: ${JSON.stringify(schema["default"])}.` };
}

const described = (description: unknown, path?: string): Pick<Structural, "description"> => {
  if (typeof description !== "string") return {};
  return {
    description: path?.endsWith(".target") === true ? `A duration with a unit, ${description}; a whole number is seconds.` : description,
  };
};

function only<K extends keyof Structural>(schema: JsonSchema, keys: readonly K[]): Pick<Structural, K> {
  return Object.fromEntries(keys.flatMap((key) => (schema[key] === undefined ? [] : [[key, schema[key]]]))) as Pick<Structural, K>;
}
