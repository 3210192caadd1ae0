import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openScene, policyFor, type Scene } from "../../support/kube-api/scene.ts";
import { startKubeApi, type KubeApiServer } from "../../support/kube-api/server.ts";
import type { Fields } from "../../support/kube-api/store.ts";
import { startWorkload } from "../../support/kube-api/workload.ts";

let server: KubeApiServer;
let scenes: Scene[] = [];
const { signal } = new AbortController();

beforeEach(async () => {
  server = await startKubeApi();
});
afterEach(async () => {
  for (const scene of scenes) scene.stop();
  scenes = [];
  await server.close();
});

const deployment = (name: string) => startWorkload(server, "Deployment", name, { replicas: 1 });

describe("components", () => {
  test.each([
    ["of a kind that has none", "apps/v1", "Deployment", /a Deployment has no components that are known here; leave out component a/],
    ["of a version that is not known", "nvidia.com/v1gamma", "DynamoGraphDeployment", /does not serve nvidia\.com\/v1gamma/],
  ])("%s are refused", async (_what, apiVersion, kind, message) => {
    const [p, d] = [deployment("p"), deployment("d")];
    const scene = openScene(server, policyFor({ ...p, apiVersion, kind, component: "a" }, d));
    scenes.push(scene);
    const facts = await scene.actuator.facts(scene.policy, signal);
    expect(!facts.ok && facts.error).toMatch(message);
  });

  test.each([
    ["an operator that serves v1alpha1 only", [], "rolebasedgroup.workloads.x-k8s.io/", "name", "role"],
    ["one that serves v1alpha2 too", ["v1alpha2"], "rbg.workloads.x-k8s.io/", "group-name", "role-name"],
  ] as const)(
    "a RoleBasedGroup of v1alpha1 under %s is scaled, and its pods are found by that one's labels",
    async (_what, newer, prefix, of, as) => {
      const resource = "rolebasedgroups.workloads.x-k8s.io";
      const kept = server.kinds.filter(
        (k) => k.group !== "workloads.x-k8s.io" || k.version === "v1alpha1" || newer.some((v) => v === k.version),
      );
      server.kinds.splice(0, server.kinds.length, ...kept);
      const apiVersion = "workloads.x-k8s.io/v1alpha1";
      const spec = {
        roles: [
          { name: "prefill", replicas: 1 },
          { name: "decode", replicas: 1 },
        ],
      };
      server.store.create(resource, { apiVersion, kind: "RoleBasedGroup", metadata: { name: "g", namespace: "demo" }, spec });
      for (const role of ["prefill", "decode"])
        server.store.create("pods.", {
          ...{ apiVersion: "v1", kind: "Pod", spec: {} },
          metadata: { name: `g-${role}-0`, namespace: "demo", labels: { [prefix + of]: "g", [prefix + as]: role } },
          status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
        });
      const aim = { apiVersion, kind: "RoleBasedGroup", name: "g" };
      const scene = openScene(server, policyFor({ ...aim, component: "prefill" }, { ...aim, component: "decode" }, 8));
      scenes.push(scene);
      expect((await scene.seen(1, 1)).prefill.replicas).toMatchObject([{ pod: "g-prefill-0", phase: "ready" }]);
      expect(await scene.apply(2, 1)).toMatchObject({ outcome: "applied" });
      expect(server.store.get(resource, "demo", "g")?.spec).toEqual({
        roles: [
          { name: "prefill", replicas: 2 },
          { name: "decode", replicas: 1 },
        ],
      });
    },
  );

  test("two pools of one component, or of one object, are refused", async () => {
    const p = deployment("p");
    const scene = openScene(server, policyFor(p, p));
    scenes.push(scene);
    const facts = await scene.actuator.facts(scene.policy, signal);
    expect(!facts.ok && facts.error).toBe("prefill and decode target the same Deployment demo/p; name one of each");
  });

  test("a count is not brought below what the kind keeps available, and a list that was reordered is not hit at the old place", async () => {
    const resource = "dynamographdeployments.nvidia.com";
    const component = (name: string, replicas: number) => ({ name, replicas, minAvailable: 2 });
    server.store.create(resource, {
      apiVersion: "nvidia.com/v1beta1",
      kind: "DynamoGraphDeployment",
      metadata: { name: "g", namespace: "demo" },
      spec: { components: [component("p", 2), component("d", 2)] },
    });
    const aim = { apiVersion: "nvidia.com/v1beta1", kind: "DynamoGraphDeployment", name: "g" };
    const scene = openScene(server, policyFor({ ...aim, component: "p" }, { ...aim, component: "d" }, 8));
    scenes.push(scene);
    expect((await scene.apply(1, 2)).error).toBe(
      "component p of DynamoGraphDeployment demo/g must keep 2 replicas: that many are always to be available",
    );
    let turned = false;
    server.fault = (call) => {
      if (call.verb === "patch" && !turned) {
        turned = true;
        server.store.update(resource, "demo", "g", (g) => ({ ...g, spec: { components: [component("d", 2), component("p", 2)] } }));
      }
      return undefined;
    };
    expect((await scene.apply(3, 2)).outcome).toBe("applied");
    expect(server.store.get(resource, "demo", "g")?.spec?.["components"]).toEqual([component("d", 2), component("p", 3)]);
    expect(server.calls.filter((c) => c.verb === "patch").map((c) => c.status)).toEqual([409, 200]);
  });

  test("an autoscaler of one role leaves the other to us; one of the whole object takes both", async () => {
    const resource = "modelservings.workload.serving.volcano.sh";
    server.store.create(resource, {
      apiVersion: "workload.serving.volcano.sh/v1alpha1",
      kind: "ModelServing",
      metadata: { name: "m", namespace: "demo" },
      spec: { replicas: 1, template: { roles: ["prefill", "decode"].map((name) => ({ name, replicas: 1 })) } },
    });
    const aim = { apiVersion: "workload.serving.volcano.sh/v1alpha1", kind: "ModelServing", name: "m" };
    const scene = openScene(server, policyFor({ ...aim, component: "prefill" }, { ...aim, component: "decode" }, 8));
    scenes.push(scene);
    const bindings = "autoscalingpolicybindings.workload.serving.volcano.sh";
    const binding = (target: Fields): void => {
      server.store.delete(bindings, "demo", "b");
      const spec = { heterogeneousTarget: { params: [{ target }] } };
      server.store.create(bindings, {
        apiVersion: "x",
        kind: "AutoscalingPolicyBinding",
        metadata: { name: "b", namespace: "demo" },
        spec,
      });
    };
    binding({ targetRef: { kind: "ModelServing", name: "m" }, subTargets: { kind: "Role", name: "decode" } });
    expect(await scene.apply(2, 1)).toMatchObject({ outcome: "applied", actions: [{ role: "prefill", to: 2 }] });
    expect((await scene.apply(2, 2)).error).toMatch(/^AutoscalingPolicyBinding demo\/b scales ModelServing m: two would fight over it/);
    binding({ targetRef: { kind: "ModelServing", name: "m" } });
    expect((await scene.apply(3, 1)).error).toMatch(/^AutoscalingPolicyBinding demo\/b scales ModelServing m/);
  });
});
