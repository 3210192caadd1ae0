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
