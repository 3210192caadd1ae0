import { afterEach, beforeEach, expect, test } from "vitest";
import type { PodHealths } from "../../../scaler/act/actuator.ts";
import { status } from "../../support/kube-api/respond.ts";
import { decide, openScene, policyFor, type Scene } from "../../support/kube-api/scene.ts";
import { startKubeApi, type KubeApiServer } from "../../support/kube-api/server.ts";
import type { Fields } from "../../support/kube-api/store.ts";
import { startWorkload } from "../../support/kube-api/workload.ts";
import { until } from "../support/wait.ts";

let server: KubeApiServer;
let scene: Scene;
const { signal } = new AbortController();
const COST = "controller.kubernetes.io/pod-deletion-cost";

beforeEach(async () => {
  server = await startKubeApi();
});
afterEach(async () => {
  scene.stop();
  await server.close();
});

function open(kind = "Deployment") {
  const p = startWorkload(server, kind, "p", { replicas: 4, drains: true });
  const d = startWorkload(server, kind, "d", { replicas: 1 });
  scene = openScene(server, policyFor(p, d, 8));
  return p;
}
const sound = { faulty: false, throttled: false, running: 9 };
const health: PodHealths = new Map([
  ["p-0", { ...sound, running: 1 }],
  ["p-1", { ...sound, faulty: true }],
  ["p-2", { ...sound, throttled: true }],
  ["p-3", sound],
]);
const shrink = async (to: number) => scene.actuator.apply(scene.policy, decide(to, 1), await scene.facts(), signal, health);
const annotations = (pod: string): Fields | undefined =>
  server.store.get("pods.", "demo", pod)?.metadata["annotations"] as Fields | undefined;
const patched = (): string[] => server.calls.filter((c) => c.verb === "patch").map((c) => `${c.resource} ${c.name}`);

test("of a Deployment the faulty and the throttled go first: marked before it shrinks, and nobody else is", async () => {
  const p = open();
  await scene.seen(4, 1);
  expect((await shrink(2)).outcome).toBe("applied");
  expect(patched()).toEqual(["pods p-1", "pods p-2", "deployments/scale p"]);
  expect([annotations("p-1")?.[COST], annotations("p-2")?.[COST]]).toEqual(["-2", "-1"]);
  await until("the drain", () =>
    p.pods().filter((pod) => pod.metadata["deletionTimestamp"] !== undefined).length === 2 ? true : undefined,
  );
  p.finishDraining();
  await scene.seen(2, 1);
  expect(p.pods().map((pod) => pod.metadata.name)).toEqual(["p-0", "p-3"]);
});

test("a cost that a user has set is the user's", async () => {
  open();
  server.store.update("pods.", "demo", "p-1", (pod) => ({ ...pod, metadata: { ...pod.metadata, annotations: { [COST]: "100" } } }));
  await until("the annotation", async () =>
    (await scene.facts()).prefill.replicas.length === 4 && annotations("p-1") !== undefined ? true : undefined,
  );
  await shrink(3);
  expect(annotations("p-1")).toEqual({ [COST]: "100" });
  expect(patched()).toEqual(["pods p-2", "deployments/scale p"]);
});

test("marks go when the shrink fails, and when others were taken instead", async () => {
  open();
  await scene.seen(4, 1);
  server.fault = (call) => (call.resource === "deployments/scale" && call.verb === "patch" ? status(403, "Forbidden", "quota") : undefined);
  expect((await shrink(3)).error).toContain("quota");
  expect(annotations("p-1")).toEqual({});
  server.fault = () => undefined;
  // As after a scaler that died between the mark and the write.
  server.store.update("pods.", "demo", "p-3", (pod) => ({
    ...pod,
    metadata: { ...pod.metadata, annotations: { [COST]: "-1", "fulcrum.dev/victim": "true", kept: "yes" } },
  }));
  await until("the mark to be cleared", async () => {
    await scene.apply(4, 1);
    return annotations("p-3")?.[COST] === undefined ? true : undefined;
  });
  expect(annotations("p-3")).toEqual({ kept: "yes" });
});

test("without the right the cluster chooses: it shrinks all the same, and that is told once", async () => {
  open();
  await scene.seen(4, 1);
  server.fault = (call) =>
    call.resource === "pods" && call.verb === "patch" ? status(403, "Forbidden", "pods is not granted") : undefined;
  expect((await shrink(3)).outcome).toBe("applied");
  await until("three", async () => ((await scene.facts()).prefill.desired === 3 ? true : undefined));
  expect((await shrink(2)).outcome).toBe("applied");
  expect(scene.log.lines.filter((l) => l.message.includes("cannot be chosen")).map((l) => l.fields)).toEqual([
    { error: expect.stringContaining("pods is not granted") as string },
  ]);
});

test("a StatefulSet removes its highest ordinal, whatever costs say: nothing is marked", async () => {
  open("StatefulSet");
  await scene.seen(4, 1);
  await shrink(3);
  expect(patched()).toEqual(["statefulsets/scale p"]);
});
