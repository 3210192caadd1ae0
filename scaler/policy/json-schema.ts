import { z } from "zod";
import { policySchema } from "./schema.ts";

/** The part of JSON Schema we walk. */
export interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly additionalProperties?: unknown;
  readonly [key: string]: unknown;
}

let cached: JsonSchema | undefined;

/** JSON Schema (draft 2020-12) of what people may write; `schema.json` beside this file is its committed copy for editors. */
export function policyJsonSchema(): JsonSchema {
  cached ??= { title: "Fulcrum ScalingPolicy", ...z.toJSONSchema(policySchema, { io: "input" }) } as JsonSchema;
  return cached;
}
