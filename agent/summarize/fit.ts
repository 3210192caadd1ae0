import type { Result } from "../../core/result.ts";
import { err, ok } from "../../core/result.ts";
import { encode, fits } from "../../wire/codec.ts";
import { type NodeReport, nodeReportSchema } from "../../wire/messages.ts";

/**
 * The report as one message that the scaler will accept. If it is too large, request halves leave first, counted: they
 * explain latencies, while counters and sketches carry them. An error means a bug here; the caller logs it and goes on.
 */
export function toMessage(report: NodeReport): Result<{ readonly report: NodeReport; readonly text: string }, string> {
  const checked = nodeReportSchema.safeParse(report);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    return err(`${issue?.path.map(String).join(".") ?? ""}: ${issue?.message ?? "invalid"}`);
  }
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
