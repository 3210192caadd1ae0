import { describe, expect, it } from "vitest";
import { createPlant } from "../../../sim/plant/plant.ts";
import type { PlantRole, RequestRecord } from "../../../sim/plant/plant.types.ts";
import { config, MODELS, request } from "./scenario.ts";

function build(plantConfig: ReturnType<typeof config>) {
  const records: RequestRecord[] = [];
  const gone: { id: number; at: number }[] = [];
  const failures: number[] = [];
  const plant = createPlant(plantConfig, MODELS, {
    finished: (record) => records.push(record),
    gone: (id, _role, at) => gone.push({ id, at }),
    transfer: (transfer) => transfer.failed && failures.push(transfer.request.id),
  });
  const phases = (role: PlantRole) =>
    plant
      .replicas()
      .filter((replica) => replica.role === role)
      .map((replica) => replica.phase);
  return { plant, records, gone, failures, phases };
}

describe("replica lifecycle", () => {
  it("starts after the lead time, counts GPU seconds from the start on, and cancels what still starts", () => {
    const { plant, phases, gone } = build(config({ prefill: { leadTime: 30 } }));
    plant.advanceTo(10);
    plant.scale("prefill", 3);
    expect(phases("prefill")).toEqual(["ready", "starting", "starting"]);
    plant.advanceTo(20);
    plant.scale("prefill", 2);
    expect(gone).toEqual([{ id: 4, at: 20 }]);
    plant.advanceTo(39.9);
    expect(phases("prefill")).toEqual(["ready", "starting"]);
    plant.advanceTo(40);
    expect(phases("prefill")).toEqual(["ready", "ready"]);
    expect(plant.gpuSeconds()).toBeCloseTo(40 + 40 + 10 + 30, 9);
  });

  it("waits for a GPU, and takes the one a drained replica leaves", () => {
    const { plant, phases } = build(config({ prefill: { replicas: 2, leadTime: 1 }, decode: { replicas: 2 }, gpus: 4 }));
    plant.scale("decode", 3);
    expect([plant.unschedulable("decode"), phases("decode").length]).toEqual([1, 2]);
    plant.scale("prefill", 1);
    plant.advanceTo(1);
    expect([plant.unschedulable("decode"), phases("decode")]).toEqual([0, ["ready", "ready", "starting"]]);
    expect(plant.desired("decode")).toBe(3);
  });

  it("has the replicas that are named from outside: one that leaves drains, one that is lost is not replaced", () => {
    const { plant, records, gone, phases } = build(config({ decode: { replicas: 0, leadTime: 2 } }));
    const [first, second] = [plant.join("decode"), plant.join("decode")];
    expect([phases("decode"), plant.desired("decode")]).toEqual([["starting", "starting"], 2]);
    plant.advanceTo(2);
    for (let id = 0; id < 8; id += 1) plant.submit(request(id, 2 + id * 0.01, 500, 400));
    plant.advanceTo(3);
    plant.leave(first);
    plant.leave(first);
    expect([phases("decode"), plant.desired("decode")]).toEqual([["draining", "ready"], 1]);
    plant.lose(second);
    plant.lose(99);
    expect([phases("decode"), plant.desired("decode")]).toEqual([["draining"], 0]);
    const third = plant.join("decode");
    plant.leave(third);
    expect(gone.map(({ id }) => id)).toEqual([second, third]);
    plant.join("decode");
    plant.advanceTo(100);
    expect([records.length, records.some(({ failed }) => failed), plant.inFlight()]).toEqual([8, false, 0]);
    expect([gone.map(({ id }) => id), phases("decode")]).toEqual([[second, third, first], ["ready"]]);
  });

  it("gives up an unschedulable replica before one that runs", () => {
    const { plant, phases } = build(config({ decode: { replicas: 2 }, gpus: 3 }));
    plant.scale("decode", 3);
    plant.scale("decode", 2);
    expect([plant.unschedulable("decode"), phases("decode")]).toEqual([0, ["ready", "ready"]]);
  });

  it("drains: finishes what it has, takes nothing new, then leaves", () => {
    const { plant, records, gone, phases } = build(config({ decode: { replicas: 2 } }));
    for (let id = 0; id < 8; id += 1) plant.submit(request(id, id * 0.01, 500, 400));
    plant.advanceTo(1);
    plant.scale("decode", 1);
    const drained = plant.replicas().find((replica) => replica.phase === "draining");
    expect(drained?.running).toBeGreaterThan(0);
    for (let id = 8; id < 16; id += 1) plant.submit(request(id, 1 + id * 0.01, 500, 400));
    plant.advanceTo(Infinity);
    const last = records.filter((record) => record.decodeReplica === drained?.id);
    expect(records).toHaveLength(16);
    expect(last.every((record) => record.request.id < 8)).toBe(true);
    expect(gone).toEqual([{ id: drained?.id, at: Math.max(...last.map((record) => record.end)) }]);
    expect(phases("decode")).toEqual(["ready"]);
  });

  it("drains though nobody is there to take its computed prompts: decode may be waiting for its very GPU", () => {
    const { plant, records, phases } = build(config({ gpus: 2, prefill: { replicas: 2 }, decode: { replicas: 0 } }));
    for (let id = 0; id < 6; id += 1) plant.submit(request(id, id * 0.01, 500, 10));
    plant.advanceTo(5);
    expect(plant.unrouted("decode")).toBe(6);
    plant.scale("decode", 1);
    plant.scale("prefill", 1);
    plant.advanceTo(Infinity);
    expect([phases("prefill"), phases("decode")]).toEqual([["ready"], ["ready"]]);
    expect(records.map((record) => record.request.id).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it("crash: what it held starts over with its arrival, and a replacement starts", () => {
    const { plant, records, phases } = build(config({ decode: { replicas: 1, leadTime: 7 } }));
    plant.submit(request(0, 0, 500, 1000));
    plant.advanceTo(3);
    const victim = plant.replicas().find((replica) => replica.role === "decode");
    plant.crash(victim?.id ?? -1);
    expect(phases("decode")).toEqual(["starting"]);
    plant.advanceTo(Infinity);
    expect(records).toHaveLength(1);
    expect(records[0]?.request.arrival).toBe(0);
    expect(records[0]?.firstToken).toBeGreaterThan(10);
    expect(records[0]?.decodeReplica).not.toBe(victim?.id);
  });

  it("crash during a transfer: the transfer fails, at whichever end", () => {
    for (const role of ["prefill", "decode"] as const) {
      const { plant, records, failures } = build({ ...config({}), kvBytesPerToken: 50_000_000 });
      plant.submit(request(0, 0, 1000, 3));
      plant.advanceTo(0.5);
      expect(plant.replicas().find((replica) => replica.role === "decode")?.waitingForKv).toBe(1);
      plant.crash(plant.replicas().find((replica) => replica.role === role)?.id ?? -1);
      plant.advanceTo(Infinity);
      expect(failures).toEqual([0]);
      expect(records.map((record) => record.failed)).toEqual([false]);
    }
  });

  it("raising the sequence limit lets waiting sequences in at the next step", () => {
    const { plant, records } = build(config({ decode: { maxNumSeqs: 1 } }));
    plant.submit(request(0, 0, 100, 2000));
    plant.submit(request(1, 0.1, 100, 5));
    plant.advanceTo(2);
    expect(records).toHaveLength(0);
    plant.setLimits({ maxNumSeqs: 2 });
    plant.advanceTo(2.2);
    expect(records.map((record) => record.request.id)).toEqual([1]);
  });

  it("says what is wrong with a request that cannot be", () => {
    const { plant } = build(config({}));
    plant.advanceTo(5);
    expect(() => plant.submit(request(7, 4, 10, 10))).toThrow("request 7 arrives at 4, before now (5)");
    expect(() => plant.submit(request(8, 6, 10, 0))).toThrow("at least 1 input and 1 output token");
  });
});
