import { Document } from "yaml";
import { durationPaths, formatDuration, formatShare, readAt, SHARE_PATHS } from "./durations.ts";
import type { Policy } from "./schema.ts";

/** The policy as a file would say it, with every default written out. It parses back to the same policy. */
export function showPolicy(policy: Policy): string {
  const document = new Document(JSON.parse(JSON.stringify(policy)) as unknown);
  for (const path of durationPaths(policy)) {
    const value = readAt(policy, path);
    if (typeof value === "number") document.setIn(path, formatDuration(value));
  }
  for (const path of SHARE_PATHS) {
    const value = readAt(policy, path);
    if (typeof value === "number") document.setIn(path, formatShare(value));
  }
  return document.toString({ lineWidth: 0 });
}
