/** What is known about one source: the closed set behind `fulcrum_source_up` and the report's `sources`. Times are Unix seconds. */
export type Health =
  | { readonly state: "unknown" }
  | { readonly state: "up"; readonly at: number; readonly duration: number; readonly note?: string; readonly missing?: number }
  | { readonly state: "down"; readonly at: number; readonly duration: number; readonly error: string; readonly lastGood?: number };

export const unknown: Health = { state: "unknown" };

/** `note` says what was good enough to use and still worth telling, such as a page with unreadable lines; `missing` counts signals it should give. */
export const up = (at: number, duration: number, note?: string, missing?: number): Health => ({
  state: "up",
  at,
  duration,
  ...(note !== undefined && { note }),
  ...(missing !== undefined && { missing }),
});

export function down(before: Health, at: number, duration: number, error: string): Health {
  const good = lastGood(before);
  return { state: "down", at, duration, error: error.slice(0, 512), ...(good !== undefined && { lastGood: good }) };
}

export function lastGood(health: Health): number | undefined {
  if (health.state === "up") return health.at;
  return health.state === "down" ? health.lastGood : undefined;
}
