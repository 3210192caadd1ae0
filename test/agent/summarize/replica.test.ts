import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { advance, nothingPending, zero } from "../../../agent/summarize/pending.ts";
import { drained, newReplica, observeFailure, observeSample, replicaReport, retarget } from "../../../agent/summarize/replica.ts";
import type { EngineSample } from "../../../core/engines/page.ts";
import { engineTarget } from "../support/agent.ts";

const sample = (tokens: number | undefined, buckets: readonly number[] = [], processStartTime?: number): EngineSample => ({
  counters: tokens === undefined ? {} : { generatedTokens: tokens },
  distributions:
    buckets.length === 0
      ? {}
      : {
          itl: {
            kind: "buckets",
            le: [1, 2],
            counts: [...buckets],
            sum: buckets.reduce((a, b, i) => a + b * i, 0),
            count: buckets.reduce((a, b) => a + b, 0),
          },
        },
  gauges: { running: 1 },
  ...(processStartTime !== undefined && { processStartTime }),
  ...{ problems: [], problemCount: 0, samples: 1 },
});

/** One engine life: how much each scrape adds; scrapes may fail and reports may come at any time in between. */
const step = fc.record({
  add: fc.nat({ max: 1000 }),
  buckets: fc.tuple(fc.nat({ max: 9 }), fc.nat({ max: 9 }), fc.nat({ max: 9 })),
  scraped: fc.boolean(),
  reported: fc.boolean(),
});

describe("deltas of one replica", () => {
  it("sum to what the engine counted, for any schedule of scrapes and reports", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.boolean(), fc.nat({ max: 5000 }), (steps, old, before) => {
        let state = newReplica(engineTarget("http://x/", { startedAt: old ? 1 : 3 }), 2);
        const start = old ? before : 0;
        let [tokens, counts] = [start, [0, 0, 0]];
        let [reportedTokens, reportedCounts, seen, first] = [0, [0, 0, 0], start, true];
        let seenCounts = [0, 0, 0];
        steps.concat({ add: 0, buckets: [0, 0, 0], scraped: true, reported: true }).forEach((s, at) => {
          tokens += s.add;
          counts = counts.map((c, i) => c + (s.buckets[i] ?? 0));
          if (s.scraped) {
            state = observeSample(state, sample(tokens, counts), at);
            if (first && old) [seen, seenCounts] = [tokens, counts];
            first = false;
          } else state = observeFailure(state);
          if (!s.reported) return;
          const { counters, distributions, resets } = state.pending;
          expect(resets).toBe(0);
          expect(counters.generatedTokens ?? 0).toBeGreaterThanOrEqual(0);
          reportedTokens += counters.generatedTokens ?? 0;
          const { itl } = distributions;
          if (itl?.kind === "buckets") reportedCounts = reportedCounts.map((c, i) => c + (itl.counts[i] ?? 0));
          state = drained(state);
        });
        expect(reportedTokens).toBe(tokens - seen);
        expect(reportedCounts).toEqual(counts.map((c, i) => c - (seenCounts[i] ?? 0)));
      }),
    );
  });

  it("are never negative, whatever a page claims", () => {
    const value = fc.option(fc.nat({ max: 100 }), { nil: undefined });
    const buckets = fc.array(fc.nat({ max: 9 }), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(fc.array(fc.tuple(value, fc.option(buckets, { nil: undefined })), { maxLength: 30 }), (pages) => {
        let before = zero as Pick<EngineSample, "counters" | "distributions">;
        for (const [tokens, counts] of pages) {
          const now = sample(tokens, counts ?? []);
          const { counters, distributions } = advance(nothingPending, before, now);
          for (const delta of Object.values(counters)) expect(delta).toBeGreaterThanOrEqual(0);
          const { itl } = distributions;
          if (itl?.kind === "buckets") expect(Math.min(itl.count, itl.sum, ...itl.counts)).toBeGreaterThanOrEqual(0);
          before = now;
        }
      }),
    );
  });

  it("keep a name missing until a page shows it, and count it from zero when it appears", () => {
    let state = observeSample(newReplica(engineTarget("http://x/"), 2000), sample(undefined), 1);
    expect(state.pending.counters).toEqual({});
    state = observeSample(state, sample(8), 2);
    expect(state.pending.counters).toEqual({ generatedTokens: 8 });
  });

  it("do not jump when a series vanishes and returns", () => {
    let state = newReplica(engineTarget("http://x/"), 2000);
    for (const tokens of [500, undefined, 503]) state = observeSample(state, sample(tokens), 1);
    expect(state.pending).toMatchObject({ counters: { generatedTokens: 3 }, resets: 0 });
  });

  it("count one reset per restart, however many series show it", () => {
    let state = newReplica(engineTarget("http://x/"), 2000);
    state = observeSample(state, sample(500, [5, 5, 5]), 1);
    state = observeSample(state, sample(20, [1, 0, 0]), 2);
    expect(state.pending).toMatchObject({ counters: { generatedTokens: 20 }, resets: 1 });
    expect(state.pending.distributions.itl).toMatchObject({ count: 1 });
  });

  it("see a restart that outran its old counters by the process's start time or the pod's", () => {
    const first = observeSample(newReplica(engineTarget("http://x/"), 2000), sample(10, [], 100), 1);
    expect(observeSample(first, sample(15, [], 200), 2).pending).toMatchObject({ counters: { generatedTokens: 15 }, resets: 1 });
    const replaced = retarget(first, engineTarget("http://x/", { startedAt: 5000 }));
    expect(observeSample(replaced, sample(15), 2).pending).toMatchObject({ counters: { generatedTokens: 15 }, resets: 1 });
  });
});

describe("a replica as reported", () => {
  const target = engineTarget("http://x/", { startedAt: 100 });
  it("has no age of figures before its first scrape", () => {
    expect(replicaReport(newReplica(target, 0), 160)).toEqual({ pod: "decode-0", phase: "ready", age: 60, gauges: {} });
  });

  it("keeps the age and drops the gauges while it fails; only a ready one is unreachable", () => {
    const read = observeSample(newReplica(target, 0), sample(1), 150);
    expect(replicaReport(read, 160)).toMatchObject({ phase: "ready", sampleAge: 10, gauges: { running: 1 } });
    const failing = observeFailure(read);
    expect(replicaReport(failing, 170)).toEqual({ pod: "decode-0", phase: "unreachable", age: 70, sampleAge: 20, gauges: {} });
    expect(replicaReport(retarget(failing, { ...target, phase: "draining" }), 170)).toMatchObject({ phase: "draining", gauges: {} });
    expect(replicaReport(observeFailure(newReplica({ ...target, phase: "starting" }, 0)), 101).phase).toBe("starting");
  });
});
