/** What can be wrong with the way that KV cache takes between nodes. Closed set: metric label values and findings of `fulcrum doctor`. */
export const KV_PATH_PROBLEMS = ["kv-transfer-fell-back-to-tcp", "kv-path-congested"] as const;
export type KvPathProblem = (typeof KV_PATH_PROBLEMS)[number];

/** Notices on the page and in `/api/state`: what nodes say of themselves, and what only the scaler sees. */
export const NOTICE_CODES = [...KV_PATH_PROBLEMS, "kv-link-slow"] as const;
export type NoticeCode = (typeof NOTICE_CODES)[number];

/**
 * Rates beside which the engines' own KV bytes are shown, bytes per second of one node. `application` is what the engines count (one side of a
 * transfer counts it, whatever its direction); the others are what the hardware moved, for whatever purpose.
 */
export const KV_PATH_RATES = [
  "application",
  "rdmaReceive",
  "rdmaTransmit",
  "networkReceive",
  "networkTransmit",
  "pcieReceive",
  "pcieTransmit",
  "nvlinkReceive",
  "nvlinkTransmit",
] as const;
export type KvPathRate = (typeof KV_PATH_RATES)[number];

/** As labels: `rdmaReceive` → path rdma, direction receive. */
export function kvPathLabels(rate: KvPathRate): { readonly path: string; readonly direction: "receive" | "transmit" | "either" } {
  const match = /^(.+)(Receive|Transmit)$/.exec(rate);
  if (match?.[1] === undefined) return { path: rate, direction: "either" };
  return { path: match[1], direction: match[2] === "Receive" ? "receive" : "transmit" };
}
