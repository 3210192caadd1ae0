import type { Result } from "../../core/result.ts";
import { err, ok } from "../../core/result.ts";
import { encode, fits } from "../../wire/codec.ts";
import type { NodeReport } from "../../wire/messages.ts";

/**
 * The report as one message. If it is too large, request halves leave first, counted: they explain latencies, while counters
 * and sketches carry them. It is not checked against the schema here, which took a tenth of the agent's time: its type says
 * what it is, the tests' scaler checks every report it gets, and a real one refuses what it should not get and says so.
 */
export function toMessage(report: NodeReport): Result<{ readonly report: NodeReport; readonly text: string }, string> {
  let candidate = report;
  for (;;) {
    const text = encode(candidate);
    if (fits(text)) return ok({ report: candidate, text });
    if (candidate.requests.length === 0) return err(`${text.length} characters do not fit one message even without request halves`);
    const kept = Math.floor(candidate.requests.length / 2);
    const dropped = candidate.requests.length - kept;
    candidate = { ...candidate, requests: candidate.requests.slice(0, kept), requestsDropped: candidate.requestsDropped + dropped };
  }
}
