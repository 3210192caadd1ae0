import { type Health, lastGood } from "../scrape/health.ts";
import type { SourceReport } from "../../wire/messages.ts";

/** A source's health as reported; one that was never tried is not up. */
export function sourceReport(source: SourceReport["source"], target: string, health: Health, now: number): SourceReport {
  const good = lastGood(health);
  const error = health.state === "down" ? health.error : health.state === "up" ? health.note : "not read yet";
  return {
    source,
    target: target.slice(0, 512),
    up: health.state === "up",
    ...(good !== undefined && { age: Math.max(0, now - good) }),
    ...(health.state === "up" && health.missing !== undefined && { missing: health.missing }),
    ...(error !== undefined && { error: error.slice(0, 512) }),
  };
}
