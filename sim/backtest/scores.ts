import type { Summary } from "../../core/summary.ts";
import type { PolicySpec } from "../../scaler/policy/schema.ts";
import type { RequestRecord } from "../plant/plant.types.ts";
import { summarize } from "./quantiles.ts";

export interface Attainment {
  readonly ttft: number;
  readonly itl: number;
  readonly both: number;
}

/** What the users got: every finished request against the objectives. An objective the policy lacks is always met. */
export interface Scores {
  add(record: RequestRecord): void;
  /** Requests that missed so far; what is still unfinished is not in here. */
  readonly misses: { readonly ttft: number; readonly itl: number };
  readonly completed: number;
  /** Shares over all requests of the trace: unfinished and refused ones are misses. */
  attainment(requests: number): Attainment;
  ttft(): Summary | undefined;
  /** Over requests: each one's own mean inter-token latency. */
  itl(): Summary | undefined;
}

export function createScores(spec: PolicySpec): Scores {
  const ttftTarget = spec.objectives.ttft?.target ?? Infinity;
  const itlTarget = spec.objectives.itl?.target ?? Infinity;
  const ttfts: number[] = [];
  const itls: number[] = [];
  const met = { ttft: 0, itl: 0, both: 0 };
  const misses = { ttft: 0, itl: 0 };
  let completed = 0;
  return {
    misses,
    get completed() {
      return completed;
    },
    add(record) {
      if (record.failed) {
        misses.ttft += 1;
        misses.itl += 1;
        return;
      }
      completed += 1;
      const ttft = record.firstToken - record.request.arrival;
      const gaps = record.request.outputTokens - 1;
      const itl = gaps > 0 ? (record.end - record.firstToken) / gaps : 0;
      ttfts.push(ttft);
      if (gaps > 0) itls.push(itl);
      const inTime = ttft <= ttftTarget;
      const fluent = itl <= itlTarget;
      if (inTime) met.ttft += 1;
      else misses.ttft += 1;
      if (fluent) met.itl += 1;
      else misses.itl += 1;
      if (inTime && fluent) met.both += 1;
    },
    attainment(requests) {
      const share = (count: number): number => (requests > 0 ? count / requests : 1);
      return { ttft: share(met.ttft), itl: share(met.itl), both: share(met.both) };
    },
    ttft: () => summarize(ttfts),
    itl: () => summarize(itls),
  };
}
