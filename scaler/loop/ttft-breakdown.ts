import { summarize } from "../../core/distributions/summary.ts";
import { createSketch } from "../../core/sketch/builder.ts";
import type { Summary } from "../../core/summary.ts";
import type { Stitched } from "../intake/stitch.ts";

/** Where the time to first token went, over all stitched requests of a policy since the scaler started. */
export interface TtftBreakdown {
  add(request: Stitched): void;
  /** Null where nothing was measured. */
  summary(): Readonly<Record<Part, Summary | null>>;
}

const PARTS = ["ttft", "queue", "prefill", "transfer", "firstDecode"] as const;
type Part = (typeof PARTS)[number];

export function createTtftBreakdown(): TtftBreakdown {
  const sketches = {
    ttft: createSketch(),
    queue: createSketch(),
    prefill: createSketch(),
    transfer: createSketch(),
    firstDecode: createSketch(),
  };
  const one = (part: Part): Summary | null => summarize({ kind: "sketch", sketch: sketches[part].toData() }) ?? null;
  return {
    add(request) {
      for (const part of PARTS) {
        const value = request[part];
        if (value !== undefined) sketches[part].add(value);
      }
    },
    summary: () => ({
      ttft: one("ttft"),
      queue: one("queue"),
      prefill: one("prefill"),
      transfer: one("transfer"),
      firstDecode: one("firstDecode"),
    }),
  };
}
