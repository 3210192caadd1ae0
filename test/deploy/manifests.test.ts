import { describe, expect, it } from "vitest";
import { agentSettingsSchema } from "../../agent/config.ts";
import { scalerSettingsSchema } from "../../scaler/config.ts";
import { parsePolicies } from "../../scaler/policy/load.ts";
import { envName, resolveSettings } from "../../wire/settings.ts";
import { component, needs } from "../support/components.ts";
import { strictProblems } from "../support/kube-kinds.ts";
import { kustomize, type Manifests, type Workload } from "../support/manifests.ts";

const kubectl = component("kubectl");
const FOLDERS = ["base", ...["observe", "enforce", "dcgm-exporter", "nvml", "keda", "tls"].map((name) => `overlays/${name}`)];
const SCHEMAS = { "fulcrum-agent": agentSettingsSchema, "fulcrum-scaler": scalerSettingsSchema } as const;

const only = <T>(items: readonly T[]): T => {
  const [item] = items;
  if (item === undefined || items.length !== 1) throw new Error(`expected one, found ${items.length}`);
  return item;
};

const schemaOf = (workload: Workload) => SCHEMAS[workload.metadata.name as keyof typeof SCHEMAS];

describe.skipIf(kubectl === undefined).each(FOLDERS)(`deploy/%s ${needs("kubectl")}`, (folder) => {
  // skipIf still collects the body: without kubectl there is nothing to read.
  const m: Manifests =
    kubectl === undefined ? { all: [], workloads: [], services: [], roles: [], bindings: [], configMaps: [] } : kustomize(kubectl, folder);

  it("holds one namespace, an agent DaemonSet, a scaler Deployment, their Services and accounts, each object once", () => {
    const ids = m.all.map((o) => `${o.apiVersion} ${o.kind} ${o.metadata.name}`);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(
      expect.arrayContaining([
        "v1 Namespace fulcrum",
        "apps/v1 DaemonSet fulcrum-agent",
        "apps/v1 Deployment fulcrum-scaler",
        "v1 Service fulcrum-agent",
        "v1 Service fulcrum-scaler",
        "v1 ServiceAccount fulcrum-agent",
        "v1 ServiceAccount fulcrum-scaler",
      ]),
    );
    for (const object of m.all) {
      const clusterWide = ["Namespace", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"].includes(object.kind);
      // What belongs to another's namespace is named for us.
      const besides = object.metadata.name === "fulcrum-dcgm-counters" ? "gpu-operator" : "fulcrum";
      expect(object.metadata.namespace, `${object.kind} ${object.metadata.name}`).toBe(clusterWide ? undefined : besides);
    }
  });

  it("has no field that its kind does not have, and labels everything as ours", () => {
    expect(m.all.flatMap(strictProblems)).toEqual([]);
    for (const object of m.all) {
      if (object.kind === "ConfigMap" && object.metadata.namespace === "fulcrum") continue;
      expect(object.metadata.labels, `${object.kind} ${object.metadata.name}`).toMatchObject({ "app.kubernetes.io/part-of": "fulcrum" });
    }
  });

  it("selects the pods it makes, and each Service leads to a port its pods open", () => {
    for (const workload of m.workloads) expect(workload.spec.template.metadata.labels).toMatchObject(workload.spec.selector.matchLabels);
    for (const service of m.services.filter((s) => s.metadata.namespace === "fulcrum")) {
      const chosen = only(
        m.workloads.filter((w) => Object.entries(service.spec.selector).every(([k, v]) => w.spec.template.metadata.labels[k] === v)),
      );
      const open = only(chosen.spec.template.spec.containers).ports;
      for (const port of service.spec.ports) {
        const target = open.find((p) => p.name === port.targetPort);
        expect(target?.containerPort, `${service.metadata.name} ${port.name}`).toBe(port.port);
      }
    }
  });

  it("sets only settings that exist, to values that are accepted, and nothing required is missing", () => {
    for (const workload of m.workloads) {
      const { env } = only(workload.spec.template.spec.containers);
      const schema = schemaOf(workload);
      const known = Object.keys(schema.shape).map(envName);
      const ours = env.map((e) => e.name).filter((name) => name.startsWith("FULCRUM_"));
      expect(ours.filter((name) => !known.includes(name))).toEqual([]);
      expect(new Set(env.map((e) => e.name)).size).toBe(env.length);
      // What the kubelet would fill in.
      const filled = Object.fromEntries(env.map((e) => [e.name, (e.value ?? "node-1").replace("$(FULCRUM_NODE)", "node-1")]));
      expect(resolveSettings(schema, { env: filled, flags: {} })).toMatchObject({ ok: true });
    }
  });

  it("listens where probes, annotations and the other half look", () => {
    for (const workload of m.workloads) {
      const { env, ports, livenessProbe, readinessProbe } = only(workload.spec.template.spec.containers);
      const value = (name: string) => env.find((e) => e.name === name)?.value;
      expect(value("FULCRUM_HOST")).toBe("0.0.0.0");
      const main = ports.find((p) => p.name === livenessProbe.httpGet.port);
      expect(String(main?.containerPort)).toBe(value("FULCRUM_PORT"));
      expect(livenessProbe.httpGet.path).toBe("/healthz");
      expect(readinessProbe.httpGet).toEqual({ ...livenessProbe.httpGet, path: "/readyz", port: main?.name });
      expect(livenessProbe.httpGet.scheme).toBe(value("FULCRUM_TLS_CERT") === undefined ? undefined : "HTTPS");
      expect(workload.spec.template.metadata.annotations).toMatchObject({
        "prometheus.io/scrape": "true",
        "prometheus.io/port": value("FULCRUM_PORT"),
      });
    }
    const agent = only(only(m.workloads.filter((w) => w.kind === "DaemonSet")).spec.template.spec.containers);
    const setting = (name: string) => agent.env.find((e) => e.name === name)?.value;
    expect(agent.ports.map((p) => [p.name, String(p.containerPort)])).toEqual([
      ["metrics", setting("FULCRUM_PORT")],
      ["otlp-grpc", setting("FULCRUM_OTLP_GRPC_PORT")],
      ["otlp-http", setting("FULCRUM_OTLP_HTTP_PORT")],
    ]);
    const scaler = only(m.services.filter((s) => s.metadata.name === "fulcrum-scaler"));
    const link = scaler.spec.ports.find((port) => port.name === "http");
    const tls = m.workloads.some((w) => only(w.spec.template.spec.containers).env.some((e) => e.name === "FULCRUM_TLS_CERT"));
    expect(setting("FULCRUM_SCALER_URL")).toBe(`${tls ? "wss" : "ws"}://fulcrum-scaler:${link?.port}/agents`);
  });

  it("keeps spans on their node: only that node's agent knows the pool of an engine", () => {
    const agent = only(m.services.filter((s) => s.metadata.name === "fulcrum-agent"));
    expect(agent.spec.internalTrafficPolicy).toBe("Local");
    expect(agent.spec.clusterIP).not.toBe("None");
  });

  it("runs without privileges: no root, no write to its image, no capability, nothing of the host", () => {
    for (const { spec } of m.workloads) {
      const pod = spec.template.spec;
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } });
      expect([pod.hostPID, pod.hostNetwork, pod.hostIPC]).toEqual([undefined, undefined, undefined]);
      expect(pod.volumes.filter((volume) => "hostPath" in volume)).toEqual([]);
      const { securityContext } = only(pod.containers);
      expect(securityContext).toEqual({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } });
    }
    expect(only(m.all.filter((o) => o.kind === "Namespace")).metadata.labels).toMatchObject({
      "pod-security.kubernetes.io/enforce": "restricted",
    });
  });

  it("mounts tokens by the pod's word, not the account's: both ask the API server; takes no settings from Service variables", () => {
    for (const { spec } of m.workloads) {
      expect(spec.template.spec.automountServiceAccountToken).toBe(true);
      expect(spec.template.spec.enableServiceLinks).toBe(false);
    }
    for (const account of m.all.filter((o) => o.kind === "ServiceAccount")) expect(account["automountServiceAccountToken"]).toBe(false);
  });

  it("states what it needs and bounds its memory", () => {
    for (const { spec } of m.workloads) {
      const { resources } = only(spec.template.spec.containers);
      expect(Object.keys(resources.requests).toSorted()).toEqual(["cpu", "memory"]);
      expect(Object.keys(resources.limits)).toEqual(["memory"]);
    }
  });

  it("runs two scalers, the base one, that agree through the lease they may renew, in their own namespace", () => {
    const scaler = only(m.workloads.filter((w) => w.kind === "Deployment"));
    expect(scaler.spec.replicas).toBe(folder === "base" ? 1 : 2);
    expect(scaler.spec.strategy).toEqual({ type: "RollingUpdate" });
    const { env } = only(scaler.spec.template.spec.containers);
    expect(env).toContainEqual({ name: "FULCRUM_ACTUATOR", value: "kubernetes" });
    const lease = env.find((e) => e.name === "FULCRUM_LEASE")?.value;
    const roleNamed = (name: string) => only(m.roles.filter((r) => r.kind === "Role" && r.metadata.name === name));
    const role = roleNamed("fulcrum-scaler-leader");
    expect(roleNamed("fulcrum-agent-doctor").rules.flatMap((rule) => rule.resourceNames ?? [])).toEqual([lease]);
    expect(role.rules.flatMap((rule) => rule.resourceNames ?? [])).toEqual([lease, `${lease ?? ""}-state`, `${lease ?? ""}-overrides`]);
    expect(env.find((e) => e.name === "FULCRUM_LEASE_NAMESPACE")?.valueFrom).toEqual({ fieldRef: { fieldPath: "metadata.namespace" } });
    expect(role.metadata.namespace).toBe(scaler.metadata.namespace);
    const budget = only(m.all.filter((o) => o.kind === "PodDisruptionBudget"));
    expect(budget["spec"]).toEqual({ maxUnavailable: 1, selector: { matchLabels: scaler.spec.selector.matchLabels } });
    // Two replicas must never write one journal.
    expect(scaler.spec.template.spec.volumes.find((v) => v.name === "journal")).toHaveProperty("emptyDir");
  });

  it("runs agents on GPU nodes and those that an operator named, save where one said no", () => {
    const agent = only(m.workloads.filter((w) => w.kind === "DaemonSet")).spec.template.spec;
    const terms = agent.affinity?.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms ?? [];
    const [named, ...gpus] = terms.map((term) => term.matchExpressions);
    expect(named).toEqual([{ key: "fulcrum.dev/agent", operator: "In", values: ["true"] }]);
    expect(gpus.length).toBeGreaterThan(1);
    for (const [label, refused, ...more] of gpus) {
      expect(label?.key).toMatch(/gpu|pci-10de|accelerator/);
      expect([refused, more]).toEqual([{ key: "fulcrum.dev/agent", operator: "NotIn", values: ["false"] }, []]);
    }
    expect(agent.tolerations).toContainEqual({ key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" });
  });

  it("grants only named verbs on named resources, each part its own, and every binding finds its role and account", () => {
    const verbs = new Set(["get", "list", "watch", "patch", "update", "create"]);
    expect(m.roles.length).toBeGreaterThan(0);
    for (const role of m.roles)
      for (const rule of role.rules) {
        expect(rule.resources).not.toContain("*");
        expect(rule.apiGroups).not.toContain("*");
        for (const verb of rule.verbs) expect(verbs.has(verb), `${role.metadata.name}: ${verb}`).toBe(true);
      }
    for (const binding of m.bindings) {
      expect(m.roles.some((role) => role.kind === binding.roleRef.kind && role.metadata.name === binding.roleRef.name)).toBe(true);
      const account = binding.roleRef.name.startsWith("fulcrum-agent") ? "fulcrum-agent" : "fulcrum-scaler";
      expect(binding.subjects).toEqual([{ kind: "ServiceAccount", name: account, namespace: "fulcrum" }]);
    }
    const bound = new Set(m.bindings.map((binding) => binding.roleRef.name));
    expect(m.roles.filter((role) => !bound.has(role.metadata.name))).toEqual([]);
  });

  it("names no image registry and no moving tag", () => {
    for (const { spec } of m.workloads) expect(only(spec.template.spec.containers).image).toMatch(/^fulcrum(:\d+\.\d+\.\d+)?$/);
  });

  it("mounts whole volumes that exist: a subPath mount never sees an edit", () => {
    for (const { spec } of m.workloads) {
      const { volumes, containers } = spec.template.spec;
      for (const mount of only(containers).volumeMounts) {
        expect(volumes.map((volume) => volume.name)).toContain(mount.name);
        expect(mount.subPath).toBeUndefined();
      }
    }
  });
});

describe.skipIf(kubectl === undefined)(`deploy/overlays/observe ${needs("kubectl")}`, () => {
  const m = kubectl === undefined ? undefined : kustomize(kubectl, "overlays/observe");

  it("cannot act: no rule may write to anything but the lease, the state beside it, the status of policies, and events; asking about a token is a create that writes nothing", () => {
    const writes = (m?.roles ?? [])
      .flatMap((role) => role.rules)
      .filter((rule) => rule.verbs.some((v) => !["get", "list", "watch"].includes(v)));
    expect(writes.length).toBeGreaterThan(0);
    expect(new Set(writes.flatMap((rule) => rule.resources))).toEqual(
      new Set(["leases", "configmaps", "scalingpolicies/status", "events", "tokenreviews"]),
    );
  });

  it("has agents present a token of their own account, made for the scaler, which takes that account's and no other", () => {
    const [agent, scaler] = ["DaemonSet", "Deployment"].map((kind) => m?.workloads.find((w) => w.kind === kind)?.spec.template.spec);
    const env = (pod: typeof agent, name: string) => pod?.containers[0]?.env.find((e) => e.name === name)?.value;
    const file = env(agent, "FULCRUM_TOKEN_FILE") ?? "";
    const mount = agent?.containers[0]?.volumeMounts.find((v) => file.startsWith(`${v.mountPath}/`));
    const sources = (agent?.volumes.find((v) => v.name === mount?.name)?.["projected"] as { sources: unknown[] } | undefined)?.sources;
    const audience = env(scaler, "FULCRUM_AGENT_AUDIENCE") ?? scalerSettingsSchema.shape.agentAudience.parse(undefined);
    expect(sources).toEqual([{ serviceAccountToken: { audience, expirationSeconds: 3600, path: file.split("/").at(-1) } }]);
    expect(env(scaler, "FULCRUM_AGENT_ACCOUNTS")).toBe(`fulcrum/${agent?.serviceAccountName}`);
  });

  it("brings the ConfigMaps that the pods mount, under their plain names", () => {
    const names = (m?.configMaps ?? []).map((map) => map.metadata.name).toSorted();
    expect(names).toEqual(["fulcrum-policies"]);
    const mounted = (m?.workloads ?? []).flatMap((w) => w.spec.template.spec.volumes.flatMap((v) => v.configMap?.name ?? []));
    expect(mounted.toSorted()).toEqual(names);
  });

  it("brings a valid policy that only observes, and finds engines by itself: the policy is all there is to edit", () => {
    const data = Object.fromEntries((m?.configMaps ?? []).map((map) => [map.metadata.name, map.data]));
    const policies = Object.entries(data["fulcrum-policies"] ?? {});
    expect(policies).toHaveLength(1);
    for (const [file, text] of policies) {
      const parsed = parsePolicies(text, file);
      expect(parsed).toMatchObject({ ok: true, value: [{ spec: { mode: "observe" } }] });
    }
    const agent = m?.workloads.find((w) => w.kind === "DaemonSet");
    const env = agent?.spec.template.spec.containers[0]?.env ?? [];
    expect(env).toContainEqual({ name: "FULCRUM_DISCOVERY", value: "kubernetes" });
    expect(env.map((e) => e.name)).not.toContain("FULCRUM_TARGETS");
  });
});
