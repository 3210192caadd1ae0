import { describe, expect, it } from "vitest";
import { bytes } from "../../../core/units.ts";
import { decodeSeconds, prefillSeconds, transferSeconds } from "../../../core/latency-model.ts";
import { createPlant } from "../../../sim/plant/plant.ts";
import type { PlantRequest, RequestRecord } from "../../../sim/plant/plant.types.ts";
import { config, MODELS, request } from "./scenario.ts";

function run(plantConfig: ReturnType<typeof config>, requests: readonly PlantRequest[]): RequestRecord[] {
  const records: RequestRecord[] = [];
  const plant = createPlant(plantConfig, MODELS, { finished: (record) => records.push(record) });
  for (const item of requests) plant.submit(item);
  plant.advanceTo(Infinity);
  return records.toSorted((a, b) => a.request.id - b.request.id);
}

describe("plant against closed forms", () => {
  it("takes for one request exactly prefill, transfer and its decode steps", () => {
    const [record] = run(config({}), [request(0, 1.5, 3000, 200)]);
    const prefill = prefillSeconds(MODELS.prefill, 3000, 3000 * 3000);
    const transfer = transferSeconds(MODELS.transfer, bytes(3000 * 131_072));
    let end = 1.5 + prefill + transfer;
    expect(record?.decodeStart).toBeCloseTo(end, 12);
    for (let step = 0; step < 200; step += 1) {
      end += decodeSeconds(MODELS.decode, 1, 3000 + step);
      if (step === 0) expect(record?.firstToken).toBeCloseTo(end, 12);
    }
    expect(record?.end).toBeCloseTo(end, 9);
  });

  it("ends a request of one output token at its first token", () => {
    const [record] = run(config({}), [request(0, 0, 100, 1)]);
    expect(record?.end).toBe(record?.firstToken);
    expect(record?.failed).toBe(false);
  });

  it("chunks only a prompt that exceeds the budget, and pays its attention once", () => {
    const [long] = run(config({ prefill: { maxBatchedTokens: 1000 } }), [request(0, 0, 2500, 1)]);
    const { floor, c0, c1, c2 } = MODELS.prefill;
    const passes = 2 * Math.max(floor, c0 + c1 * 1000) + Math.max(floor, c0 + c1 * 500);
    expect(long?.prefillEnd).toBeCloseTo(passes + c2 * 2500 * 2500, 12);
  });

  it("sends KV of one prefill replica one after the other", () => {
    const records = run(
      config({ decode: { replicas: 2 } }),
      [0, 1, 2].map((id) => request(id, 0, 2000, 5)),
    );
    const [a, b, c] = records.slice().sort((x, y) => x.transferStart - y.transferStart);
    expect(b?.transferStart).toBeGreaterThanOrEqual(a?.transferEnd ?? Infinity);
    expect(c?.transferStart).toBeGreaterThanOrEqual(b?.transferEnd ?? Infinity);
    expect(a?.transferBytes).toBe(2000 * 131_072);
  });

  it("serves cached prefix blocks without computing them, but always computes one token", () => {
    const blocks = [1, 2, 3, 4];
    const requests = [request(0, 0, 2048, 1, blocks), request(1, 10, 2048, 1, blocks), request(2, 20, 2048, 1, [1, 2, 9, 4])];
    expect(run(config({}), requests).map((record) => record.cachedTokens)).toEqual([0, 2047, 1024]);
  });

  it("refuses at once what can never fit into KV memory", () => {
    const [big, small] = run(config({ kvCapacityTokens: 5000 }), [request(0, 0, 4990, 11), request(1, 0, 4990, 10)]);
    expect([big?.failed, small?.failed]).toEqual([true, false]);
  });
});
