import type { Fields, Json } from "./store.ts";

const isFields = (value: Json | undefined): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);

/** RFC 7386. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isFields(patch)) return patch;
  const merged: Record<string, Json> = isFields(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = mergePatch(merged[key], value);
  }
  return merged;
}

/** The paths of an applied configuration's leaves: what its manager then owns. */
export function leaves(value: Json, path = ""): string[] {
  if (!isFields(value)) return [path];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, path === "" ? key : `${path}.${key}`));
}

export function at(value: unknown, path: string): Json | undefined {
  return path.split(".").reduce<unknown>((inner, key) => (isFields(inner as Json) ? (inner as Fields)[key] : undefined), value) as
    | Json
    | undefined;
}

/** A nested patch with one leaf. */
export function nest(path: string, value: Json): Fields {
  return path.split(".").reduceRight<Json>((inner, key) => ({ [key]: inner }), value) as Fields;
}

/** `spec.nodeName=a,status.phase!=Failed`, as far as the API server has fields to select by. */
export function matchesFields(object: unknown, selector: string): boolean {
  return selector.split(",").every((term) => {
    const [, path = "", not = "", value] = /^([^!=]+)(!?)==?(.*)$/.exec(term) ?? [];
    return path === "" || (at(object, path) === value) === (not === "");
  });
}

export function matchesLabels(labels: Json | undefined, selector: string): boolean {
  const have = isFields(labels) ? labels : {};
  return selector.split(",").every((term) => {
    const [key, value] = term.split("=");
    return key === undefined || key === "" || have[key] === value;
  });
}

export interface PatchStep {
  readonly op: string;
  readonly path: string;
  readonly value?: Json;
}

/** RFC 6902, as far as clients of ours could use it; a sentence where it does not apply. */
export function jsonPatch(target: Json, steps: readonly PatchStep[]): { readonly value: Json } | { readonly problem: string } {
  let value = target;
  for (const { op, path, value: given = null } of steps) {
    const keys = path
      .split("/")
      .slice(1)
      .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
    const found = keys.reduce<Json | undefined>(childOf, value);
    if (op === "test" && JSON.stringify(found) !== JSON.stringify(given)) return { problem: `testing value ${path} failed` };
    if ((op === "replace" || op === "remove") && found === undefined)
      return { problem: `${op} operation does not apply: doc is missing path ${path}` };
    if (op === "test") continue;
    if (op !== "replace" && op !== "add" && op !== "remove") return { problem: `unexpected kind: ${op}` };
    value = changed(value, keys, op, given);
  }
  return { value };
}

const childOf = (value: Json | undefined, key: string): Json | undefined => {
  if (Array.isArray(value)) return (value as readonly Json[])[Number(key)];
  return isFields(value) ? value[key] : undefined;
};

function changed(value: Json | undefined, [key, ...rest]: readonly string[], op: "replace" | "add" | "remove", given: Json): Json {
  if (key === undefined) return given;
  if (Array.isArray(value)) {
    const items = [...(value as readonly Json[])];
    const index = key === "-" ? items.length : Number(key);
    if (rest.length > 0) items[index] = changed(items[index], rest, op, given);
    else if (op === "remove") items.splice(index, 1);
    else items.splice(index, op === "replace" ? 1 : 0, given);
    return items;
  }
  const fields: Record<string, Json> = { ...(isFields(value) ? value : {}) };
  if (rest.length === 0 && op === "remove") delete fields[key];
  else fields[key] = changed(fields[key], rest, op, given);
  return fields;
}
