import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeSeconds } from "../../../core/latency-model.ts";
import { MODELS, play, scenario } from "./scenario.ts";

const seeds = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const check = (law: (seed: number) => void): void => fc.assert(fc.property(seeds, law), { numRuns: 100 });

describe("what the plant keeps account of", () => {
  it("holds exactly the KV of the prompts and tokens in the batch, and steps take exactly what the model says of it", () => {
    check((seed) => {
      const scene = scenario(seed, true);
      // Memory for all, so that every stay in decode is one the records tell.
      const config = { ...scene.config, kvCapacityTokens: 1_000_000 };
      const steps: { replica: number; at: number; sequences: number; kvTokens: number; stepSeconds: number }[] = [];
      const { records } = play(
        { ...scene, config },
        {
          decodeSteps: (replica, { at, sequences, kvTokens, stepSeconds }) => steps.push({ replica, at, sequences, kvTokens, stepSeconds }),
        },
        { maxRunSteps: 1 },
      );
      const made = new Map(records.map((record) => [record, 0]));
      const differing = steps.filter((step) => {
        let [sequences, kv] = [0, 0];
        for (const record of records) {
          if (record.decodeReplica !== step.replica || record.decodeStart >= step.at || record.end < step.at) continue;
          const before = made.get(record) ?? 0;
          made.set(record, before + 1);
          sequences += 1;
          kv += record.request.inputTokens + before;
        }
        const time = decodeSeconds(MODELS.decode, sequences, kv);
        return step.sequences !== sequences || step.kvTokens !== kv || step.stepSeconds !== time;
      });
      expect(differing).toEqual([]);
      expect([...made].every(([record, tokens]) => tokens === record.request.outputTokens)).toBe(true);
    });
  });

  it("moves each prompt's KV once, byte for byte, and after a preemption the tokens made since as well", () => {
    let preempted = 0;
    check((seed) => {
      const scene = scenario(seed, true);
      const moved = new Map<number, number[]>();
      const { records } = play(scene, {
        transfer({ request, bytes }) {
          const list = moved.get(request.id) ?? [];
          list.push(bytes / scene.config.kvBytesPerToken);
          moved.set(request.id, list);
        },
      });
      for (const { request, transferBytes } of records) {
        const [first, ...again] = moved.get(request.id) ?? [];
        expect([first, transferBytes]).toEqual([request.inputTokens, request.inputTokens * scene.config.kvBytesPerToken]);
        preempted += again.length;
        const made = again.map((tokens) => tokens - request.inputTokens);
        expect(made).toEqual(made.toSorted((a, b) => a - b));
        expect(made.every((tokens) => Number.isInteger(tokens) && tokens >= 0 && tokens < request.outputTokens)).toBe(true);
      }
    });
    // The scenarios do run out of memory: without that the half about preemption would say nothing.
    expect(preempted).toBeGreaterThan(0);
  });

  it("keeps Little's law: requests inside, summed over time, are the time requests spent inside", () => {
    check((seed) => {
      let [inside, area, before] = [0, 0, 0];
      const scene = scenario(seed);
      const arrivals = scene.requests.map(({ arrival }) => arrival);
      const { records } = play(scene, {}, {}, (plant) => {
        area += inside * (plant.now - before);
        before = plant.now;
        inside = plant.inFlight();
      });
      const spent = records.reduce((sum, { request, end }) => sum + end - request.arrival, 0);
      expect(arrivals.length).toBe(records.length);
      expect(Math.abs(area / spent - 1)).toBeLessThan(1e-9);
    });
  });
});
