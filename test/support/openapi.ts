import type { Structural } from "../../scripts/crd/structural.ts";
import { evaluate } from "./cel.ts";

/** What an API server finds wrong with an object, unknown fields included (kubectl's default, `--validate=strict`). */
export function violations(schema: Structural, value: unknown, path = ""): string[] {
  const wrong = typeErrors(schema, value);
  if (wrong !== undefined) return [`${path}: ${wrong}`];
  const found = [...scalarErrors(schema, value)].map((problem) => `${path}: ${problem}`);
  if (isMap(value) && schema.properties !== undefined) found.push(...mapErrors(schema, value, path));
  if (Array.isArray(value)) {
    if (value.length > (schema.maxItems ?? Infinity)) found.push(`${path}: more than ${schema.maxItems} items`);
    for (const [index, item] of value.entries()) found.push(...violations(schema.items ?? {}, item, `${path}[${index}]`));
  }
  // Rules run on values that are well formed only, as in the API server.
  if (found.length > 0) return found;
  return (schema["x-kubernetes-validations"] ?? [])
    .filter(({ rule }) => !evaluate(rule, value))
    .map(({ message }) => `${path}: ${message}`);
}

const isMap = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

function mapErrors(schema: Structural, value: Record<string, unknown>, path: string): string[] {
  const known = schema.properties ?? {};
  const missing = (schema.required ?? []).filter((key) => value[key] === undefined).map((key) => `${path}.${key}: required`);
  const fields = Object.entries(value).flatMap(([key, inner]) => {
    const next = known[key];
    return next === undefined ? [`${path}.${key}: unknown field`] : violations(next, inner, `${path}.${key}`);
  });
  return [...missing, ...fields];
}

function typeErrors(schema: Structural, value: unknown): string | undefined {
  if (schema["x-kubernetes-int-or-string"] === true) {
    return Number.isInteger(value) || typeof value === "string" ? undefined : "neither a whole number nor a string";
  }
  const fits =
    schema.type === "object"
      ? isMap(value)
      : schema.type === "array"
        ? Array.isArray(value)
        : schema.type === "integer"
          ? Number.isInteger(value)
          : typeof value === schema.type;
  return fits ? undefined : `not a ${schema.type}`;
}

function* scalarErrors(schema: Structural, value: unknown): Generator<string> {
  if (schema.enum !== undefined && !schema.enum.includes(String(value))) yield `not one of ${schema.enum.join(", ")}`;
  if (typeof value === "string") {
    if (value.length < (schema.minLength ?? 0)) yield "too short";
    if (value.length > (schema.maxLength ?? Infinity)) yield "too long";
    if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(value)) yield "does not match its pattern";
  }
  if (typeof value === "number") {
    const [low, high] = [schema.minimum ?? -Infinity, schema.maximum ?? Infinity];
    if (value < low || (schema.exclusiveMinimum === true && value === low)) yield "too small";
    if (value > high || (schema.exclusiveMaximum === true && value === high)) yield "too large";
  }
}

const KEYWORDS = new Set([
  ...["type", "description", "format", "properties", "required", "items", "enum", "default", "pattern", "nullable"],
  ...["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems"],
  ...["x-kubernetes-int-or-string", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-validations"],
]);

/**
 * The rules for structural schemas that an API server enforces: a type at every level (or int-or-string, without one), no reference, no
 * union, no closed object, flags beside numeric bounds, defaults and required fields that exist, map keys that are required.
 */
export function structuralProblems(schema: Structural, path = "root"): string[] {
  const found = Object.keys(schema)
    .filter((key) => !KEYWORDS.has(key))
    .map((key) => `${path}: ${key} is not structural`);
  const intOrString = schema["x-kubernetes-int-or-string"] === true;
  if (intOrString === (schema.type !== undefined)) found.push(`${path}: needs a type, or int-or-string without one`);
  if ((schema.type === "array") !== (schema.items !== undefined)) found.push(`${path}: arrays have items, others do not`);
  if (schema.properties !== undefined && schema.type !== "object") found.push(`${path}: properties on what is no object`);
  for (const key of ["exclusiveMinimum", "exclusiveMaximum"] as const)
    if (schema[key] !== undefined && typeof schema[key] !== "boolean") found.push(`${path}: ${key} is a flag in OpenAPI v3.0`);
  for (const key of schema.required ?? [])
    if (schema.properties?.[key] === undefined) found.push(`${path}: requires ${key}, which is not there`);
  for (const key of schema["x-kubernetes-list-map-keys"] ?? [])
    if (schema.items?.required?.includes(key) !== true) found.push(`${path}: map key ${key} is not required`);
  if (schema.default !== undefined) found.push(...violations(schema, schema.default, `${path} default`));
  for (const [key, value] of Object.entries(schema.properties ?? {})) found.push(...structuralProblems(value, `${path}.${key}`));
  if (schema.items !== undefined) found.push(...structuralProblems(schema.items, `${path}[]`));
  return found;
}

/**
 * Rules that an API server refuses with the definition for what they could cost: it takes a list for as long as a request can be unless the
 * loop is over a field itself (not over what an optional gives) and the field has `maxItems`. Found on Kubernetes 1.36.3.
 */
export function unboundedLoops(schema: Structural, path = ""): string[] {
  const loops = (schema["x-kubernetes-validations"] ?? []).flatMap(({ rule }) => [...rule.matchAll(/(\S+)\.(?:all|exists|map|filter)\(/g)]);
  const found = loops
    .filter(([, list]) => schema.properties?.[/^self\.(\w+)$/.exec(list ?? "")?.[1] ?? ""]?.maxItems === undefined)
    .map(([loop]) => `${path}: ${loop}…): its cost has no bound`);
  const inner = Object.entries(schema.properties ?? {}).flatMap(([key, value]) => unboundedLoops(value, `${path}.${key}`));
  return [...found, ...inner, ...(schema.items === undefined ? [] : unboundedLoops(schema.items, `${path}[]`))];
}
