import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { prefillSeconds } from "../../../core/latency-model.ts";
import { MODELS } from "../plant/scenario.ts";
import { play, scene } from "./scenario.ts";

const check = (law: (seed: number) => void): void =>
  fc.assert(fc.property(fc.integer({ min: 1, max: 2 ** 31 - 1 }), law), { numRuns: 120 });

describe("aggregated plant laws, under scaling, crashes and full KV memory", () => {
  it("finishes every request exactly once and leaves nothing behind", () => {
    check((seed) => {
      const one = scene(seed);
      const { plant, records } = play(one);
      expect(records.map((record) => record.request.id).toSorted((a, b) => a - b)).toEqual(one.requests.map(({ id }) => id));
      expect(records.every((record) => !record.failed)).toBe(true);
      expect([plant.inFlight(), plant.nextEvent()]).toEqual([0, Infinity]);
      for (const replica of plant.replicas()) {
        expect([replica.waiting, replica.running, replica.queuedTokens, replica.kvTokens]).toEqual([0, 0, 0, 0]);
      }
    });
  });

  it("keeps KV memory, GPUs, the sequence limit and the token budget", () => {
    check((seed) => {
      const one = scene(seed);
      const { kvCapacityTokens, gpus, maxNumSeqs, maxBatchedTokens } = one.config;
      const most = { kv: 0, replicas: 0, running: 0, budget: 0 };
      let least = 0;
      let batch = { at: -1, sequences: 0 };
      play(
        one,
        {
          decodeSteps(_replica, run) {
            batch = run;
            most.kv = Math.max(most.kv, run.kvTokens + (run.sequences * (run.steps - 1)) / 2 + run.sequences);
          },
          prefillPass(_replica, pass) {
            const decoding = batch.at === pass.at ? batch.sequences : 0;
            most.budget = Math.max(most.budget, pass.tokens + decoding);
          },
        },
        {},
        (plant) => {
          const replicas = plant.replicas();
          most.replicas = Math.max(most.replicas, replicas.length);
          for (const { kvTokens, queuedTokens, waiting, running } of replicas) {
            most.kv = Math.max(most.kv, kvTokens);
            most.running = Math.max(most.running, running);
            least = Math.min(least, queuedTokens, kvTokens, waiting);
          }
        },
      );
      expect(most.kv).toBeLessThanOrEqual(kvCapacityTokens);
      expect(most.replicas).toBeLessThanOrEqual(gpus);
      expect(most.running).toBeLessThanOrEqual(maxNumSeqs);
      expect(most.budget).toBeLessThanOrEqual(maxBatchedTokens);
      expect(least).toBe(0);
    });
  });

  it("makes every output token once when nothing crashes, also across preemptions, and each first token once", () => {
    check((seed) => {
      const one = scene(seed, true);
      let made = 0;
      const first = new Map<number, number>();
      play(one, {
        decodeSteps: (_replica, run) => (made += run.steps * run.sequences),
        prefillPass: (_replica, pass) => (made += pass.finished.length),
        firstToken: (_replica, item) => first.set(item.id, (first.get(item.id) ?? 0) + 1),
      });
      expect(made).toBe(one.requests.reduce((sum, { outputTokens }) => sum + outputTokens, 0));
      expect(one.requests.map(({ id }) => first.get(id))).toEqual(one.requests.map(() => 1));
    });
  });

  it("is a function of its inputs, told in the order of time", () => {
    check((seed) => {
      const log = (): string => {
        const lines: unknown[] = [];
        let clock = 0;
        const { plant, records } = play(scene(seed), {
          decodeSteps: (replica, run) => lines.push([replica, run]),
          firstToken(_replica, _request, at) {
            expect(at).toBeGreaterThanOrEqual(clock);
            clock = at;
          },
        });
        return JSON.stringify([lines, records, plant.gpuSeconds()]);
      };
      expect(log()).toBe(log());
    });
  });

  it("fast-forwards to the same times as going step by step", () => {
    check((seed) => {
      const one = scene(seed);
      const byId = (records: ReturnType<typeof play>["records"]) => records.toSorted((a, b) => a.request.id - b.request.id);
      const fast = byId(play(one).records);
      const slow = byId(play(one, {}, { maxRunSteps: 1 }).records);
      fast.forEach((record, index) => {
        expect(slow[index]?.prefillReplica).toBe(record.prefillReplica);
        expect(Math.abs((slow[index]?.firstToken ?? 0) - record.firstToken)).toBeLessThan(1e-9);
        expect(Math.abs((slow[index]?.end ?? 0) - record.end)).toBeLessThan(1e-9);
      });
    });
  });

  it("orders each request's stages and gives no first token before its prompt could be computed", () => {
    check((seed) => {
      for (const record of play(scene(seed)).records) {
        const { inputTokens, arrival } = record.request;
        const least = prefillSeconds(MODELS.prefill, inputTokens - record.cachedTokens, 0);
        expect(record.firstToken - arrival).toBeGreaterThan(least - 1e-9);
        const stages = [arrival, record.prefillStart, record.prefillEnd, record.firstToken, record.end];
        expect(stages).toEqual(stages.toSorted((a, b) => a - b));
        expect(record.decodeReplica).toBe(record.prefillReplica);
      }
    });
  });
});
