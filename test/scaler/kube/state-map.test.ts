import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { gzipSync } from "node:zlib";
import type { Checkpoint } from "../../../scaler/journal/checkpoint.ts";
import { createStateMap, type SharedState } from "../../../scaler/kube/state-map.ts";
import { noCheckpointer } from "../../../scaler/loop/checkpointer.ts";
import { shareCheckpoints } from "../../../scaler/loop/shared-checkpointer.ts";
import { apiOf } from "../../support/kube-api/scene.ts";
import { startKubeApi, type KubeApiServer } from "../../support/kube-api/server.ts";
import { listLog } from "../support/log.ts";
import { until } from "../support/wait.ts";

const { signal } = new AbortController();
let server: KubeApiServer;
let leads = true;

beforeEach(async () => {
  server = await startKubeApi();
  leads = true;
});
afterEach(() => server.close());

const map = (limit?: number): SharedState =>
  createStateMap({
    ...{ api: apiOf(server), namespace: "fulcrum", lease: "fulcrum-scaler", identity: "a" },
    leadership: { fence: async () => (leads ? { ok: true, value: undefined } : { ok: false, error: "not leading: b holds the lease" }) },
    ...(limit === undefined ? {} : { limit }),
  });
const entry = (at: number, state: object = { at }) => ({ controller: "c", subjectDigest: "s", priorDigest: "p", at, state });
const checkpoint = (policies: Checkpoint["policies"], version = "1"): Checkpoint => ({ version, policies });
const stored = () => server.store.get("configmaps.", "fulcrum", "fulcrum-scaler-state");
const puts = (): number => server.calls.filter((c) => c.resource === "configmaps" && c.verb !== "get").length;

describe("the ConfigMap", () => {
  test("what is written is read, by another scaler too; there is nothing before", async () => {
    const [one, two] = [map(), map()];
    expect(await one.read(signal)).toEqual({ ok: true, value: undefined });
    const first = checkpoint({ "demo/a": entry(1), "demo/b": entry(2) });
    expect(await one.write(first, signal)).toMatchObject({ ok: true, value: { leftOut: [] } });
    expect(await two.read(signal)).toEqual({ ok: true, value: first });
    const second = checkpoint({ "demo/a": entry(3) });
    expect((await two.write(second, signal)).ok).toBe(true);
    expect(await one.read(signal)).toEqual({ ok: true, value: second });
    expect(stored()).toMatchObject({ data: { format: "1", version: "1", writer: "a" } });
  });

  test("over a version that another wrote in between nothing is written; the next write looks first", async () => {
    const [one, two] = [map(), map()];
    await one.write(checkpoint({ "demo/a": entry(1) }), signal);
    await two.write(checkpoint({ "demo/a": entry(2) }), signal);
    expect(await one.write(checkpoint({ "demo/a": entry(3) }), signal)).toMatchObject({ ok: false });
    expect(await two.read(signal)).toMatchObject({ value: { policies: { "demo/a": { at: 2 } } } });
    expect((await one.write(checkpoint({ "demo/a": entry(4) }), signal)).ok).toBe(true);
  });

  test("who does not lead writes nothing", async () => {
    leads = false;
    expect(await map().write(checkpoint({}), signal)).toEqual({ ok: false, error: "not leading: b holds the lease" });
    expect(puts()).toBe(0);
  });

  test("what does not fit is left out by name, the largest first", async () => {
    const noise = (n: number): string => Array.from({ length: n }, (_, i) => ((i * 2_654_435_761) % 4_294_967_296).toString(36)).join("");
    const policies = { "demo/big": entry(1, { noise: noise(3000) }), "demo/small": entry(2), "demo/other": entry(3) };
    expect(await map(2000).write(checkpoint(policies), signal)).toMatchObject({ ok: true, value: { leftOut: ["demo/big"] } });
    const read = await map().read(signal);
    expect(Object.keys((read.ok && read.value?.policies) || {}).toSorted()).toEqual(["demo/other", "demo/small"]);
  });

  test("what no scaler wrote is an error, never state: another format, torn, no checkpoint, a bomb", async () => {
    const one = map();
    await one.write(checkpoint({}), signal);
    const set = (fields: object): void =>
      void server.store.update("configmaps.", "fulcrum", "fulcrum-scaler-state", (o) => ({ ...o, ...fields }));
    const packed = (text: string | Buffer) => ({ binaryData: { "checkpoint.json.gz": gzipSync(text).toString("base64") } });
    for (const fields of [{ data: { format: "2" } }, { data: {} }]) {
      set(fields);
      expect(await one.read(signal)).toMatchObject({ ok: false });
    }
    set({ data: { format: "1" } });
    for (const fields of [
      packed("{}"),
      packed("not json"),
      { binaryData: { "checkpoint.json.gz": "AAAA" } },
      packed(Buffer.alloc(64 * 1024 * 1024)),
    ]) {
      set(fields);
      expect(await one.read(signal)).toMatchObject({ ok: false });
    }
    set({ binaryData: {} });
    expect(await one.read(signal)).toEqual({ ok: true, value: undefined });
  });
});

describe("the shared checkpoint", () => {
  const share = (version = "1", log = listLog()) => {
    const outcomes: string[] = [];
    const onWrite = (outcome: string): void => void outcomes.push(outcome);
    return {
      ...shareCheckpoints({ own: noCheckpointer, shared: map(), version, leading: () => leads, onWrite, log, every: 0.02 }),
      outcomes,
      log,
    };
  };

  test("a successor has what was left; of two it takes the newer; of another version nothing", async () => {
    const leader = share();
    leader.put("demo/a", entry(10, { learned: 1 }));
    await until("the write", () => (leader.outcomes.length > 0 ? true : undefined));
    const successor = share();
    expect(successor.get("demo/a")).toBeUndefined();
    await successor.renew();
    expect(successor.get("demo/a")).toEqual(entry(10, { learned: 1 }));
    const later = share("2");
    await later.renew();
    expect(later.get("demo/a")).toBeUndefined();
    expect(later.log.lines.map((l) => l.message).join()).toContain("of another version");
    // Nothing was learned since: nothing is written.
    const before = puts();
    await leader.stop();
    expect(puts()).toBe(before);
    await successor.stop();
    await later.stop();
  });

  test("its last is left behind when it stops, unless it leads no more", async () => {
    const leader = share();
    leader.put("demo/a", entry(1));
    await leader.stop();
    expect(await map().read(signal)).toMatchObject({ value: { policies: { "demo/a": { at: 1 } } } });
    const deposed = share();
    leads = false;
    deposed.put("demo/a", entry(2));
    await deposed.stop();
    expect(await map().read(signal)).toMatchObject({ value: { policies: { "demo/a": { at: 1 } } } });
  });
});
