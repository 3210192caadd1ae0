import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Public traces and captured pages live beside the checkout, not in it. Tests that need them ask here and
 * skip by name when they are absent; FULCRUM_SHARED points elsewhere.
 */
export function sharedPath(path: string): string | undefined {
  const base = process.env["FULCRUM_SHARED"] ?? join(root, "..", "shared");
  const full = join(base, path);
  return existsSync(full) ? full : undefined;
}
