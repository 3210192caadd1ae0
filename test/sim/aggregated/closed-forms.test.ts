import { describe, expect, it } from "vitest";
import { decodeSeconds, prefillSeconds } from "../../../core/latency-model.ts";
import { createAggregatedPlant } from "../../../sim/aggregated/plant.ts";
import { createRandom, exponential } from "../../../sim/random.ts";
import { MODELS, request } from "../plant/scenario.ts";
import { config, play } from "./scenario.ts";

const { prefill, decode } = MODELS;
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const run = (changes: Parameters<typeof config>[0], requests: Parameters<typeof play>[0]["requests"]) =>
  play({ config: config(changes), requests, steps: [] }).records.toSorted((a, b) => a.request.id - b.request.id);

describe("aggregated plant against closed forms", () => {
  it.each([0.3, 0.6, 0.85])("prompts alone wait as M/D/1 says at utilisation %d", (rho) => {
    const tokens = 2048;
    const service = prefillSeconds(prefill, tokens, tokens * tokens);
    const random = createRandom(7);
    let at = 0;
    const requests = Array.from({ length: 400_000 }, (_, id) => {
      at += exponential(random, service / rho);
      return request(id, at, tokens, 1);
    });
    // The budget is one prompt, so that every step is one job; a chunk that spills over would need a second.
    const records = run({ maxBatchedTokens: tokens, maxNumSeqs: 1 }, requests);
    const waits = mean(records.map((record) => record.prefillStart - record.request.arrival));
    expect(Math.abs(waits / ((rho * service) / (2 * (1 - rho))) - 1)).toBeLessThan(0.03);
  });

  it("a request alone takes its prompt's chunks and one decode step less than it has answer tokens", () => {
    const [record] = run({ maxBatchedTokens: 1000 }, [request(0, 1.5, 2500, 200)]);
    const { floor, c0, c1, c2 } = prefill;
    let end = 1.5 + 2 * Math.max(floor, c0 + c1 * 1000) + Math.max(floor, c0 + c1 * 500) + c2 * 2500 * 2500;
    expect(record?.firstToken).toBeCloseTo(end, 12);
    for (let step = 0; step < 199; step += 1) end += decodeSeconds(decode, 1, 2500 + step);
    expect(record?.end).toBeCloseTo(end, 9);
  });

  it("equal requests at once decode together, step by step as the model sums", () => {
    const [batch, tokens, answer] = [20, 100, 50];
    const requests = Array.from({ length: batch }, (_, id) => request(id, 0, tokens, answer));
    const records = run({ maxBatchedTokens: batch * tokens + 1 }, requests);
    // The first starts a pass alone, the rest share the next: one mixed step of its token and their prompts.
    let at: number = prefillSeconds(prefill, tokens, tokens * tokens);
    expect(records[0]?.firstToken).toBeCloseTo(at, 12);
    const rest = (batch - 1) * tokens;
    at += prefillSeconds(prefill, rest, rest * tokens) + decodeSeconds(decode, 1, tokens);
    for (const record of records.slice(1)) expect(record.firstToken).toBeCloseTo(at, 12);
    for (let step = 0; step < answer - 2; step += 1) at += decodeSeconds(decode, batch, batch * tokens + 1 + step * batch);
    expect(records[0]?.end).toBeCloseTo(at, 9);
    at += decodeSeconds(decode, batch - 1, (batch - 1) * (tokens + answer - 2));
    for (const record of records.slice(1)) expect(record.end).toBeCloseTo(at, 9);
  });

  it("a shared mixed step saves the smaller fixed part, and only where both parts are", () => {
    const requests = [request(0, 0, 1000, 500), request(1, 1, 3000, 1)];
    const [sum, shared] = (["sum", "shared"] as const).map((mixedStep) => run({ maxBatchedTokens: 8192, mixedStep }, requests));
    expect(shared?.[0]?.firstToken).toBe(sum?.[0]?.firstToken);
    expect((sum?.[1]?.end ?? 0) - (shared?.[1]?.end ?? 0)).toBeCloseTo(decode.d0, 12);
  });

  it("prompt chunks hold up the batch for exactly their part of the step", () => {
    const alone = run({}, [request(0, 0, 1000, 500)])[0]?.end ?? 0;
    const [held] = run({}, [request(0, 0, 1000, 500), request(1, 1, 1500, 1)]);
    expect((held?.end ?? 0) - alone).toBeCloseTo(prefillSeconds(prefill, 1500, 1500 * 1500), 9);
  });

  it("serves cached prefix blocks without computing them, and refuses at once what never fits", () => {
    const blocks = [1, 2, 3, 4];
    const requests = [request(0, 0, 2048, 1, blocks), request(1, 10, 2048, 1, blocks), request(2, 20, 2048, 1, [1, 2, 9, 4])];
    expect(run({}, requests).map((record) => record.cachedTokens)).toEqual([0, 2047, 1024]);
    expect(run({ kvCapacityTokens: 5000 }, [request(0, 0, 4990, 11), request(1, 0, 4990, 10)]).map(({ failed }) => failed)).toEqual([
      true,
      false,
    ]);
  });
});

describe("aggregated replica lifecycle", () => {
  it("starts after the lead time, drains what it has, and pays from start to end", () => {
    const plant = createAggregatedPlant(config({ leadTime: 30 }), MODELS, {});
    plant.submit(request(0, 35, 500, 2000));
    plant.advanceTo(10);
    plant.scale(2);
    expect(plant.replicas().map(({ phase }) => phase)).toEqual(["ready", "starting"]);
    plant.advanceTo(40);
    expect(plant.replicas().map(({ phase }) => phase)).toEqual(["ready", "ready"]);
    const [idle] = plant.replicas().filter(({ running }) => running === 0);
    plant.scale(1);
    expect(plant.replicas().map(({ id }) => id)).not.toContain(idle?.id);
    expect(plant.gpuSeconds()).toBeCloseTo(40 + 30, 9);
    plant.scale(0);
    expect(plant.replicas().map(({ phase }) => phase)).toEqual(["draining"]);
    plant.advanceTo(Infinity);
    expect([plant.replicas().length, plant.inFlight()]).toEqual([0, 0]);
  });

  it("starts no more than there are GPUs for", () => {
    const plant = createAggregatedPlant(config({ gpus: 5, gpusPerReplica: 2 }), MODELS, {});
    plant.scale(4);
    expect(plant.replicas()).toHaveLength(2);
    expect(() => plant.submit(request(1, -1, 5, 5))).toThrow("request 1 arrives at -1, before 0");
    expect(() => plant.submit(request(2, 1, 5, 0))).toThrow("at least 1 input and 1 output token");
  });
});
