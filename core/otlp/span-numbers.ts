import type { Span } from "./trace.ts";

export const numberAttribute = (span: Span, ...keys: readonly string[]): number | undefined => firstNumber(span, keys);

/** A number ≥ 0 from the first attribute that has one. Rust tracing fields arrive as text. */
export function firstNumber(span: Span, keys: readonly string[]): number | undefined {
  for (const key of keys) {
    const raw = span.attributes.get(key);
    const value = typeof raw === "string" && raw !== "" ? Number(raw) : raw;
    if (typeof value === "number" && Number.isFinite(value) && value >= 0) return value;
  }
  return undefined;
}

/** Drops what is undefined, so that "unknown" is a missing field. */
export function known<T extends object>(fields: { readonly [K in keyof T]: T[K] | undefined }): Partial<T> {
  const result: Partial<T> = {};
  for (const key in fields) {
    const value = fields[key];
    if (value !== undefined) result[key] = value;
  }
  return result;
}
