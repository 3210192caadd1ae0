import type { PlantRequest } from "../plant/plant.types.ts";

/** Recorded or generated traffic, ordered by arrival; the first request arrives at or after 0. */
export interface Trace {
  readonly name: string;
  readonly requests: readonly PlantRequest[];
  /** Length of the traffic: last arrival, or the window's or generator's length. */
  readonly seconds: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Bad rows left out on request (`--skip-bad`). */
  readonly skipped: number;
  /** Rows without an answer, left out: requests that failed at the source (0 output tokens). */
  readonly failedAtSource: number;
  /** Spacing of coarse timestamps in seconds; 0 when arrivals are finely resolved. */
  readonly grid: number;
}

/** A trace from unordered requests: sorted by arrival (stable), renumbered, totals added up. */
export function assembleTrace(
  name: string,
  unordered: readonly PlantRequest[],
  facts: { readonly seconds?: number; readonly skipped?: number; readonly failedAtSource?: number; readonly grid?: number } = {},
): Trace {
  const sorted = unordered.toSorted((a, b) => a.arrival - b.arrival);
  const requests = sorted.map((request, id) => ({ ...request, id }));
  return {
    name,
    requests,
    seconds: facts.seconds ?? requests.at(-1)?.arrival ?? 0,
    inputTokens: requests.reduce((sum, request) => sum + request.inputTokens, 0),
    outputTokens: requests.reduce((sum, request) => sum + request.outputTokens, 0),
    skipped: facts.skipped ?? 0,
    failedAtSource: facts.failedAtSource ?? 0,
    grid: facts.grid ?? 0,
  };
}

/** What was left out of a trace, in words: nothing is dropped in silence. */
export function leftOut({ skipped, failedAtSource }: Pick<Trace, "skipped" | "failedAtSource">): string[] {
  return [
    ...(skipped > 0 ? [`${skipped} bad ${skipped === 1 ? "row was" : "rows were"} left out`] : []),
    ...(failedAtSource > 0
      ? [
          `${failedAtSource} ${failedAtSource === 1 ? "row with 0 output tokens was" : "rows with 0 output tokens were"} left out: failed at the source`,
        ]
      : []),
  ];
}
