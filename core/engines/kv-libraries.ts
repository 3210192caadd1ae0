import type { Role } from "../pool.ts";
import type { ForeignUnit, Tables, Term, Where } from "./dialect.ts";

/**
 * Libraries that move KV and publish on the page of the pod that uses them. Read where the engine has no transfer series of its own. A transfer
 * shows on both of its ends in some of them, so each row takes the end that reads, as vLLM's own NIXL series do; push mode shows on the sender.
 */

const onDecode: readonly Role[] = ["decode"];
const load: Where = { operation: ["load_get"] };
const failed: Where = { operation: ["load_get", "save_put"], status: { not: ["ok"] } };

/** NIXL's own telemetry (NIXL_TELEMETRY_ENABLE=y): an agent counts what it started, reads as received, writes as sent. Times are in µs, unnamed. */
export const nixl: Tables = {
  counters: [
    { name: "kvTransfers", from: [eitherWay("agent_rx_requests_num_total", "agent_tx_requests_num_total")] },
    { name: "kvTransferBytes", from: [eitherWay("agent_rx_bytes_total", "agent_tx_bytes_total")] },
    { name: "kvTransferSeconds", from: [[{ series: "agent_xfer_time_total", unit: "us" }]] },
    { name: "kvTransferFailures", from: [[{ series: "agent_errors_total" }]] },
  ],
  gauges: [],
  labelGauges: [],
  distributions: [{ name: "kvTransfer", from: [{ series: "agent_xfer_time_us", unit: "us" }] }],
};

/**
 * LMCache, one label set per tensor-parallel worker, each moving its own part. Decode gets from the remote store what prefill put there; what
 * other roles get is reuse. Peer to peer has no bytes (it publishes tokens per second). Hits are not read: the engine counts them as cached.
 */
export const lmcache: Tables = {
  counters: [
    { name: "kvTransfers", roles: onDecode, from: [[{ series: "lmcache:num_remote_read_requests_total" }]] },
    { name: "kvTransferBytes", roles: onDecode, from: [[{ series: "lmcache:num_remote_read_bytes_total" }]] },
    { name: "kvTransferSeconds", roles: onDecode, from: [[{ series: "lmcache:remote_time_to_get_sum", unit: "ms" }]] },
    { name: "kvTransfers", from: [[{ series: "lmcache:p2p_time_to_transfer_count" }]] },
    { name: "kvTransferSeconds", from: [[{ series: "lmcache:p2p_time_to_transfer_sum" }]] },
  ],
  gauges: [],
  labelGauges: [],
  distributions: [
    { name: "kvTransfer", roles: onDecode, from: [{ series: "lmcache:remote_time_to_get", unit: "ms" }] },
    { name: "kvTransfer", from: [{ series: "lmcache:p2p_time_to_transfer" }] },
  ],
};

/** Mooncake under vLLM's store connector: on decode a load is the transfer, of which the save on prefill is the other end. */
export const mooncakeStore: Tables = {
  counters: [
    { name: "kvTransfers", roles: onDecode, from: [[{ series: "vllm:mooncake_store_operation_total", where: load }]] },
    { name: "kvTransferBytes", roles: onDecode, from: [[{ series: "vllm:mooncake_store_operation_bytes_total", where: load }]] },
    { name: "kvTransferSeconds", roles: onDecode, from: [[{ series: "vllm:mooncake_store_operation_time_seconds_sum", where: load }]] },
    { name: "kvTransferFailures", from: [[{ series: "vllm:mooncake_store_operation_total", where: failed }]] },
  ],
  gauges: [],
  labelGauges: [],
  distributions: [{ name: "kvTransfer", roles: onDecode, from: [{ series: "vllm:mooncake_store_operation_time_seconds", where: load }] }],
};

/** Mooncake's TENT engine. The engine before it, which SGLang uses, only logs. */
export const tent: Tables = {
  counters: [
    { name: "kvTransfers", from: [eitherWay("tent_read_requests_total", "tent_write_requests_total")] },
    { name: "kvTransferBytes", from: [eitherWay("tent_read_bytes_total", "tent_write_bytes_total")] },
    { name: "kvTransferSeconds", from: [eitherWay("tent_read_latency_us_sum", "tent_write_latency_us_sum", "us")] },
    { name: "kvTransferFailures", from: [eitherWay("tent_read_failures_total", "tent_write_failures_total")] },
  ],
  gauges: [],
  labelGauges: [],
  distributions: [],
};

/** Reads and writes are different bytes; a library that has done only one of them may show only that one. */
function eitherWay(read: string, write: string, unit?: ForeignUnit): readonly Term[] {
  return [read, write].map((series) => ({ series, optional: true, ...(unit === undefined ? {} : { unit }) }));
}
