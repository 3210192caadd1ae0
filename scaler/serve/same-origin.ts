import type { IncomingHttpHeaders } from "node:http";

/**
 * Browsers say where a request comes from, programs do not. They do not apply the same-origin rule to WebSockets, nor to every POST:
 * without this any page could read the feed of a local scaler.
 */
export function sameOrigin({ origin, host }: IncomingHttpHeaders): boolean {
  if (origin === undefined) return true;
  try {
    return new URL(origin).host === host;
  } catch {
    return false;
  }
}
