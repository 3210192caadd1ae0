import { afterEach, beforeEach, expect, test } from "vitest";
import { createEventRecorder, type EventOutcome, type EventRecorder, type Occurrence } from "../../../../scaler/kube/report/events.ts";
import { apiOf } from "../../../support/kube-api/scene.ts";
import { status } from "../../../support/kube-api/respond.ts";
import { startKubeApi, type KubeApiServer } from "../../../support/kube-api/server.ts";
import { listLog } from "../../support/log.ts";

const { signal } = new AbortController();
let server: KubeApiServer;
let now = 1_700_000_000;
let outcomes: EventOutcome[] = [];
let log = listLog();

beforeEach(async () => {
  server = await startKubeApi();
  now = 1_700_000_000;
  outcomes = [];
  log = listLog();
});
afterEach(() => server.close());

const recorder = (): EventRecorder =>
  createEventRecorder({ api: apiOf(server), instance: "scaler-1", clock: () => now, onOutcome: (o) => outcomes.push(o), log });
const about = (key: string, note = key): Occurrence => ({
  regarding: { apiVersion: "fulcrum.dev/v1alpha1", kind: "ScalingPolicy", namespace: "demo", name: "llama", uid: "u" },
  ...{ type: "Warning", reason: "ScaleFailed", action: "Scale", note, key },
});
const events = () => server.store.list("events.events.k8s.io", "demo");
const count = (outcome: EventOutcome): number => outcomes.filter((o) => o === outcome).length;

test("the same again is one event that counts, told at most once a minute; ten minutes later it is news", async () => {
  const it = recorder();
  for (let i = 0; i < 5; i++) {
    it.record(about("a"));
    await it.flush(signal);
    now += 5;
  }
  expect(events()).toHaveLength(1);
  expect(events()[0]?.["series"]).toBeUndefined();
  now += 60;
  await it.flush(signal);
  expect(events()[0]?.["series"]).toEqual({ count: 5, lastObservedTime: "2023-11-14T22:13:40.000000Z" });
  const patches = server.calls.filter((c) => c.verb === "patch").length;
  await it.flush(signal);
  expect(server.calls.filter((c) => c.verb === "patch").length).toBe(patches);
  now += 700;
  it.record(about("a"));
  await it.flush(signal);
  expect(events()).toHaveLength(2);
});

test("a storm about one object is cut off and counted; another object is not silenced by it", async () => {
  const it = recorder();
  for (let i = 0; i < 100; i++) it.record(about(`k${i}`));
  const other = about("other");
  it.record({ ...other, regarding: { ...other.regarding, name: "quiet" } });
  await it.flush(signal);
  expect(events()).toHaveLength(26);
  expect([count("written"), count("dropped")]).toEqual([26, 75]);
  now += 60;
  it.record(about("later"));
  await it.flush(signal);
  expect(events()).toHaveLength(27);
});

test("a note fits the API's kilobyte; one that is refused is told once in the log and holds nothing up", async () => {
  const it = recorder();
  it.record(about("long", "→".repeat(2000)));
  await it.flush(signal);
  expect(Buffer.byteLength(String(events()[0]?.["note"]))).toBeLessThan(1024);
  server.fault = () => status(403, "Forbidden", "events is forbidden");
  for (const key of ["x", "y"]) it.record(about(key));
  await it.flush(signal);
  expect(count("failed")).toBe(2);
  expect(log.lines.filter((l) => l.level === "warn")).toHaveLength(1);
});
