import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytes } from "../../../core/units.ts";
import { prefillSeconds, transferSeconds } from "../../../core/latency-model.ts";
import type { PlantSink } from "../../../sim/plant/plant.types.ts";
import { MODELS, play, scenario } from "./scenario.ts";

const seeds = fc.integer({ min: 1, max: 2 ** 31 - 1 });
/**
 * Scenarios that once left prompts waiting: a crashed decode end freed the prefill memory they needed; all decode replicas
 * to come were prefill replicas waiting to be rid of theirs.
 */
const REGRESSIONS: [number][] = [[31_541_377], [419_182_034]];
const check = (law: (seed: number) => void): void => fc.assert(fc.property(seeds, law), { numRuns: 150, examples: REGRESSIONS });

describe("plant laws, under scaling, crashes, role switches, faults, limit changes and full KV memory", () => {
  it("finishes every request exactly once and leaves nothing behind", () => {
    check((seed) => {
      const scene = scenario(seed);
      const { plant, records } = play(scene);
      expect(records.map((record) => record.request.id).toSorted((a, b) => a - b)).toEqual(scene.requests.map(({ id }) => id));
      expect(records.every((record) => !record.failed)).toBe(true);
      expect(plant.inFlight()).toBe(0);
      expect(plant.nextEvent()).toBe(Infinity);
      expect(plant.unrouted("prefill") + plant.unrouted("decode")).toBe(0);
      for (const replica of plant.replicas()) {
        expect([replica.waiting, replica.running, replica.queuedTokens, replica.kvTokens, replica.waitingForKv]).toEqual([0, 0, 0, 0, 0]);
      }
    });
  });

  it("never holds more KV than there is memory, nor more GPUs than exist", () => {
    check((seed) => {
      const scene = scenario(seed);
      const { kvCapacityTokens, gpus } = scene.config;
      const most = { kv: 0, replicas: 0 };
      let least = 0;
      const sink: PlantSink = {
        decodeSteps(_replica, run) {
          most.kv = Math.max(most.kv, run.kvTokens + (run.sequences * (run.steps - 1)) / 2 + run.sequences);
        },
      };
      play(scene, sink, {}, (plant) => {
        const replicas = plant.replicas();
        most.replicas = Math.max(most.replicas, replicas.length);
        for (const { kvTokens, queuedTokens, waiting, waitingForKv } of replicas) {
          most.kv = Math.max(most.kv, kvTokens);
          least = Math.min(least, queuedTokens, kvTokens, waiting, waitingForKv);
        }
      });
      expect(most.kv).toBeLessThanOrEqual(kvCapacityTokens);
      expect(most.replicas).toBeLessThanOrEqual(gpus);
      expect(least).toBe(0);
    });
  });

  it("tells what happens in the order of time", () => {
    check((seed) => {
      let clock = 0;
      let backwards = 0;
      const at = (time: number): void => {
        if (time < clock) backwards += 1;
        clock = time;
      };
      play(scenario(seed), {
        enqueued: (_replica, _request, time) => at(time),
        prefillPass: (_replica, pass) => at(pass.at),
        transfer: (transfer) => at(transfer.end),
        firstToken: (_replica, _request, time) => at(time),
        finished: (record) => at(record.end),
        phase: (_replica, time) => at(time),
        gone: (_replica, _role, time) => at(time),
      });
      expect(backwards).toBe(0);
      expect(clock).toBeGreaterThan(0);
    });
  });

  it("is a function of its inputs", () => {
    check((seed) => {
      const log = (): string => {
        const lines: unknown[] = [];
        const { plant, records } = play(scenario(seed), { decodeSteps: (replica, run) => lines.push([replica, run]) });
        return JSON.stringify([lines, records, plant.gpuSeconds()]);
      };
      expect(log()).toBe(log());
    });
  });

  it("gives no first token before prefill, transfer and one step, and orders each request's stages", () => {
    check((seed) => {
      const scene = scenario(seed);
      for (const record of play(scene).records) {
        const { inputTokens, arrival } = record.request;
        const computed = inputTokens - record.cachedTokens;
        const least =
          prefillSeconds(MODELS.prefill, computed, 0) +
          transferSeconds(MODELS.transfer, bytes(inputTokens * scene.config.kvBytesPerToken)) +
          MODELS.decode.d0;
        expect(record.firstToken - arrival).toBeGreaterThan(least - 1e-9);
        const { prefillStart, prefillEnd, transferStart, transferEnd, decodeStart, firstToken, end } = record;
        const stages = [arrival, prefillStart, prefillEnd, transferStart, transferEnd, decodeStart, firstToken, end];
        expect(stages).toEqual(stages.toSorted((a, b) => a - b));
        expect(computed).toBeGreaterThanOrEqual(1);
      }
    });
  });

  it("makes every output token once when nothing crashes, also across preemptions", () => {
    check((seed) => {
      const scene = scenario(seed, true);
      let made = 0;
      const first = new Map<number, number>();
      play(scene, {
        decodeSteps: (_replica, run) => (made += run.steps * run.sequences),
        firstToken: (_replica, item) => first.set(item.id, (first.get(item.id) ?? 0) + 1),
      });
      expect(made).toBe(scene.requests.reduce((sum, { outputTokens }) => sum + outputTokens, 0));
      expect([...first.values()]).toEqual(scene.requests.map(() => 1));
    });
  });

  it("fast-forwards to the same times as going step by step", () => {
    check((seed) => {
      const scene = scenario(seed);
      const byId = (records: ReturnType<typeof play>["records"]) => records.toSorted((a, b) => a.request.id - b.request.id);
      const fast = byId(play(scene).records);
      const slow = byId(play(scene, {}, { maxRunSteps: 1 }).records);
      fast.forEach((record, index) => {
        const other = slow[index];
        expect([other?.prefillReplica, other?.decodeReplica]).toEqual([record.prefillReplica, record.decodeReplica]);
        expect(Math.abs((other?.firstToken ?? 0) - record.firstToken)).toBeLessThan(1e-9);
        expect(Math.abs((other?.end ?? 0) - record.end)).toBeLessThan(1e-9);
      });
    });
  });

  it("reports the same steps however often it is stopped on the way", () => {
    check((seed) => {
      const scene = scenario(seed, true);
      const sums = (stops: number): number[] => {
        const total = { steps: 0, sequences: 0, kv: 0, seconds: 0 };
        const sink: PlantSink = {
          decodeSteps(_replica, run) {
            total.steps += run.steps;
            total.sequences += run.steps * run.sequences;
            total.kv += run.steps * run.kvTokens;
            total.seconds += run.steps * run.stepSeconds;
          },
        };
        const interventions = Array.from({ length: stops }, (_, stop) => ({
          at: stop * 0.137,
          kind: "scale" as const,
          role: "decode" as const,
          replicas: scene.config.decode.replicas,
        }));
        play({ ...scene, interventions }, sink);
        return [total.steps, total.sequences, total.kv, total.seconds];
      };
      const [once, often] = [sums(0), sums(100)];
      often.forEach((value, index) => expect(value).toBeCloseTo(once[index] ?? Number.NaN, 6));
    });
  });
});
