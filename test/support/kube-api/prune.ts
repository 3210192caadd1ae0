import type { Fields, Json } from "./store.ts";

/** As much of a definition's structural schema as says which fields are kept. */
export interface KeptFields {
  readonly properties?: Readonly<Record<string, KeptFields>>;
  readonly items?: KeptFields;
  readonly additionalProperties?: KeptFields | boolean;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
}

/** An object of a custom kind as the API server keeps it: fields that its definition does not name are dropped, without a word. */
export function pruned(schema: KeptFields, object: Fields): Fields {
  const always = ["apiVersion", "kind", "metadata"].flatMap((key) => (object[key] === undefined ? [] : [[key, object[key]] as const]));
  return { ...(keep(schema, object) as Fields), ...Object.fromEntries(always) };
}

function keep(schema: KeptFields, value: Json): Json {
  if (Array.isArray(value)) return (value as readonly Json[]).map((item) => keep(schema.items ?? {}, item));
  if (typeof value !== "object" || value === null) return value;
  const { properties = {}, additionalProperties } = schema;
  const others = additionalProperties === true || schema["x-kubernetes-preserve-unknown-fields"] === true;
  return Object.fromEntries(
    Object.entries(value as Fields).flatMap(([key, inner]) => {
      const known = properties[key] ?? (typeof additionalProperties === "object" ? additionalProperties : undefined);
      if (known !== undefined) return [[key, keep(known, inner)]];
      return others ? [[key, inner]] : [];
    }),
  );
}
