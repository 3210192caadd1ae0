import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { agentSettingsSchema } from "../../agent/config.ts";
import { readPod } from "../../agent/discover/pod-object.ts";
import { attribute } from "../../core/discover/attribute.ts";
import { parseFleetSettings } from "../../fleet/config.ts";
import { podHello } from "../../fleet/engine/pod-hello.ts";
import { parsePolicies, policyFromJson } from "../../scaler/policy/load.ts";
import { scalerSettingsSchema } from "../../scaler/config.ts";
import { resolveSettings } from "../../wire/settings.ts";
import { component, needs } from "../support/components.ts";
import { strictProblems } from "../support/kube-kinds.ts";
import { kustomize, kustomized, type KubeObject } from "../support/manifests.ts";

const kubectl = component("kubectl");
const root = fileURLToPath(new URL("../..", import.meta.url));
const demo = kubectl === undefined ? [] : kustomized(kubectl, "demo");
const named = (kind: string, name: string): KubeObject => {
  const found = demo.find((o) => o.kind === kind && o.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found;
};
interface Env {
  readonly name: string;
  readonly value?: string;
}
const podOf = (kind: string, name: string) =>
  (
    named(kind, name)["spec"] as {
      template: {
        metadata: object;
        spec: {
          serviceAccountName: string;
          securityContext: object;
          affinity?: unknown;
          containers: [{ env: Env[]; securityContext: object }];
        };
      };
    }
  ).template;
const env = (kind: string, name: string): Record<string, string> =>
  Object.fromEntries(podOf(kind, name).spec.containers[0].env.map((e) => [e.name, e.value ?? "something"]));

describe.skipIf(kubectl === undefined)(`deploy/demo ${needs("kubectl")}`, () => {
  it("has no field that its kinds do not have, and everything but namespace, custom resource and the review of tokens in the namespace", () => {
    expect(demo.filter(({ kind }) => kind !== "ScalingPolicy").flatMap(strictProblems)).toEqual([]);
    const outside = demo
      .filter(({ metadata }) => metadata.namespace !== "fulcrum-demo")
      .map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    expect(outside).toEqual([
      "Namespace fulcrum-demo",
      "CustomResourceDefinition scalingpolicies.fulcrum.dev",
      "ClusterRole fulcrum-demo-admit",
      "ClusterRoleBinding fulcrum-demo-admit",
    ]);
    expect(named("Namespace", "fulcrum-demo").metadata.labels).toMatchObject({ "fulcrum.dev/demo": "true" });
  });

  it("grants in its namespace what overlay enforce grants in the cluster, and in the cluster to review tokens, under another name", () => {
    const roles = demo.filter(({ kind }) => kind === "Role");
    const bindings = demo.filter(({ kind }) => kind === "RoleBinding");
    const installed = kustomize(kubectl ?? "", "overlays/enforce").roles;
    const enforced = installed.filter(({ metadata }) => metadata.name !== "fulcrum-scaler-admit");
    expect(named("ClusterRole", "fulcrum-demo-admit")["rules"]).toEqual(
      installed.find(({ metadata }) => metadata.name === "fulcrum-scaler-admit")?.rules,
    );
    expect(named("ClusterRoleBinding", "fulcrum-demo-admit")).toMatchObject({
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "fulcrum-demo-admit" },
      subjects: [{ kind: "ServiceAccount", name: "fulcrum-scaler", namespace: "fulcrum-demo" }],
    });
    const byName = (of: readonly KubeObject[]) => Object.fromEntries(of.map((role) => [role.metadata.name, role["rules"]]));
    expect(byName(roles)).toEqual(byName(enforced));
    expect(bindings.map((b) => [b.metadata.name, (b["roleRef"] as { kind: string }).kind]).toSorted()).toEqual(
      roles.map((r) => [r.metadata.name, "Role"]).toSorted(),
    );
    for (const binding of bindings) expect(binding["subjects"]).toMatchObject([{ kind: "ServiceAccount", namespace: "fulcrum-demo" }]);
  });

  it("has agents and scaler look into that namespace only, on every node, with settings they take", () => {
    expect(podOf("DaemonSet", "fulcrum-agent").spec.affinity).toBeUndefined();
    const agent = resolveSettings(agentSettingsSchema, { env: env("DaemonSet", "fulcrum-agent"), flags: {} });
    expect(agent).toMatchObject({ ok: true, value: { discovery: "kubernetes", discoveryNamespace: "something", gpuReader: "off" } });
    const scaler = resolveSettings(scalerSettingsSchema, { env: env("Deployment", "fulcrum-scaler"), flags: {} });
    expect(scaler).toMatchObject({ ok: true, value: { policyObjects: "own", actuator: "kubernetes" } });
    const { serviceAccountName } = podOf("DaemonSet", "fulcrum-agent").spec;
    expect(env("Deployment", "fulcrum-scaler")["FULCRUM_AGENT_ACCOUNTS"]).toBe(`fulcrum-demo/${serviceAccountName}`);
  });

  it("runs as the namespace's pod security standard asks", () => {
    for (const name of ["prefill", "decode", "fleet", "fulcrum-scaler"]) {
      const { spec } = podOf("Deployment", name);
      expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
      const { securityContext } = spec.containers[0];
      expect(securityContext).toEqual({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } });
    }
  });

  it("gives the fleet settings that it takes, and engines what they need to go there", () => {
    const text = readFileSync(join(root, "deploy/demo/serving/settings.yaml"), "utf8");
    expect(parseFleetSettings(parse(text))).toMatchObject({ ok: true, value: { engines: "pods", repeat: true } });
    const map = demo.find(({ kind }) => kind === "ConfigMap");
    expect(map?.["data"]).toEqual({ "fleet.yaml": text });
    for (const role of ["prefill", "decode"]) {
      const given = { ...env("Deployment", role), FULCRUM_ENGINE_HOST: "10.0.0.1" };
      expect(podHello(given)).toMatchObject({ ok: true, value: { role, port: 8000, otlp: "http://fulcrum-agent:4318" } });
    }
  });

  it("has pods that discovery places in the pools the policy names, the fleet as their frontend", () => {
    const policy = policyFromJson(named("ScalingPolicy", "demo"));
    if (!policy.ok) throw new Error(JSON.stringify(policy.error));
    for (const [name, role, port] of [
      ["prefill", "prefill", 8000],
      ["decode", "decode", 8000],
      ["fleet", "frontend", 8901],
    ] as const) {
      const { metadata, spec } = podOf("Deployment", name);
      const pod = readPod({
        ...{ apiVersion: "v1", kind: "Pod", spec, status: { podIP: "10.0.0.1", conditions: [{ type: "Ready", status: "True" }] } },
        metadata: {
          ...metadata,
          ...{ name: `${name}-1`, namespace: "fulcrum-demo", uid: "1", resourceVersion: "1", creationTimestamp: "2026-01-01T00:00:00Z" },
          ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name, controller: true, uid: "1" }],
        },
      });
      if (!pod.ok) throw new Error(pod.error);
      const path = role === "frontend" ? "/frontend/metrics" : "/metrics";
      const target = { pool: name, role, model: policy.value.spec.model, url: `http://10.0.0.1:${port}${path}` };
      expect(attribute(pod.value)).toMatchObject({ kind: "engine", target });
      if (role !== "frontend") expect(policy.value.spec.pools[role].target).toMatchObject({ kind: "Deployment", name });
    }
  });

  it("has the objectives, the budget and the behavior of policies/demo.yaml", () => {
    const file = parsePolicies(readFileSync(join(root, "policies/demo.yaml"), "utf8"), "demo.yaml");
    const object = policyFromJson(named("ScalingPolicy", "demo"));
    if (!file.ok || !object.ok) throw new Error("a policy is not valid");
    const { objectives, budget, behavior, rebalance, mode } = object.value.spec;
    expect(file.value[0]?.spec).toMatchObject({ objectives, budget, behavior, rebalance, mode });
  });
});
