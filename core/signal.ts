import type { Seconds } from "./units.ts";

/** A value with its standing. Missing is never zero: arithmetic is done on `fresh` only. */
export type Signal<T> =
  | { readonly state: "fresh"; readonly value: T; readonly at: Seconds }
  | { readonly state: "stale"; readonly value: T; readonly at: Seconds }
  | { readonly state: "absent" };

export const absent = { state: "absent" } as const;

/** Classifies a value by its age; `value` undefined is absent, whatever its time. */
export function signal<T>(value: T | undefined, at: Seconds, now: Seconds, maxAge: Seconds): Signal<T> {
  if (value === undefined) return absent;
  return { state: now - at <= maxAge ? "fresh" : "stale", value, at };
}

/** The value when fresh, else undefined. */
export function fresh<T>(s: Signal<T>): T | undefined {
  return s.state === "fresh" ? s.value : undefined;
}
