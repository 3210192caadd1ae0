import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { agentSettingsSchema } from "../../agent/config.ts";
import { parseTargets } from "../../agent/config-targets.ts";
import { CLOCK_EVENTS_SERIES } from "../../core/engines/gpu-clocks.ts";
import { parsePolicies } from "../../scaler/policy/load.ts";
import { subjectOf } from "../../scaler/serve/keda/answer.ts";
import { component, needs } from "../support/components.ts";
import { strictProblems, type ScaledObject } from "../support/kube-kinds.ts";
import { modelProblems, type KubeManifest } from "../support/kube-models.ts";
import { rightsOf } from "../support/rights.ts";
import { kustomize } from "../support/manifests.ts";
import { container, env, named, spec, withComponents, workload } from "./support/composed.ts";

const kubectl = component("kubectl");
const root = fileURLToPath(new URL("../..", import.meta.url));

const ALL = [
  "act",
  "act-on-components",
  "agent-certificates",
  "agent-token",
  "choose-victims",
  "dcgm",
  "dcgm-exporter",
  "grafana",
  "ha",
  "keda",
  "live-limits",
  "nvml",
  "page-tokens",
  "pod-resources",
  "prometheus-operator",
  "roll-out-limits",
  "targets",
  "tls",
  "write-tokens",
];

describe.skipIf(kubectl === undefined)(`deploy/components ${needs("kubectl")}`, () => {
  it.each(ALL)("%s fits the observe overlay, with no field that its kinds do not have", (name) => {
    const m = withComponents(name);
    expect(m.all.flatMap(strictProblems)).toEqual([]);
    const already = name === "ha";
    expect(JSON.stringify(m.all) === JSON.stringify(kustomize(kubectl ?? "", "overlays/observe").all)).toBe(already);
  });

  it("journal-volume: one scaler at a time on a volume that outlives it, in place of the pod's own", () => {
    const m = withComponents("journal-volume");
    expect(m.all.flatMap(strictProblems)).toEqual([]);
    const scaler = workload(m, "Deployment");
    expect(scaler.spec).toMatchObject({ replicas: 1, strategy: { type: "Recreate" } });
    const journal = spec(scaler).volumes.find((volume) => volume.name === "journal");
    expect(journal).toEqual({ name: "journal", persistentVolumeClaim: { claimName: "fulcrum-journal" } });
    expect(named(m, "PersistentVolumeClaim", "fulcrum-journal")).toBeDefined();
  });

  it("fit all together, each object once", () => {
    const m = withComponents(...ALL);
    expect(m.all.flatMap(strictProblems)).toEqual([]);
    const ids = m.all.map((o) => `${o.kind} ${o.metadata.namespace}/${o.metadata.name}`);
    expect(new Set(ids).size).toBe(ids.length);
    for (const w of m.workloads) {
      const names = spec(w).volumes.map((volume) => volume.name);
      expect(new Set(names).size).toBe(names.length);
    }
  });

  it("act adds write rights to scale subresources, and to nothing else", () => {
    const before = new Set(kustomize(kubectl ?? "", "overlays/observe").roles.map((role) => role.metadata.name));
    const added = withComponents("act").roles.filter((role) => !before.has(role.metadata.name));
    const rules = added.flatMap((role) => role.rules);
    expect(rules.length).toBeGreaterThan(3);
    const writes = rules.filter((rule) => rule.verbs.some((verb) => verb !== "get" && verb !== "list"));
    expect(writes.flatMap((rule) => rule.resources).filter((resource) => !resource.endsWith("/scale"))).toEqual([]);
    expect(new Set(writes.flatMap((rule) => rule.verbs))).toEqual(new Set(["patch"]));
  });

  it("whatever may be scaled may also be read", () => {
    const m = withComponents("act");
    const pairs = (verb: string): string[] =>
      m.roles.flatMap((role) =>
        role.rules
          .filter((rule) => rule.verbs.includes(verb))
          .flatMap((rule) => rule.apiGroups.flatMap((group) => rule.resources.map((r) => `${group}/${r}`))),
      );
    const scaled = pairs("patch").filter((pair) => pair.endsWith("/scale"));
    expect(pairs("get")).toEqual(expect.arrayContaining(scaled));
  });

  it("nvml asks for the driver's management library and takes no GPU", () => {
    const agent = workload(withComponents("nvml"), "DaemonSet");
    expect(spec(agent).runtimeClassName).toBe("nvidia");
    expect(env(agent, "NVIDIA_DRIVER_CAPABILITIES")).toBe("utility");
    expect(env(agent, "NVIDIA_VISIBLE_DEVICES")).toBe("all");
    expect(JSON.stringify(container(agent).resources)).not.toContain("nvidia.com/gpu");
    expect(container(agent).securityContext.privileged).toBeUndefined();
  });

  it("pod-resources mounts the folder of the kubelet's socket, as root and with nothing more", () => {
    const m = withComponents("pod-resources");
    const agent = workload(m, "DaemonSet");
    const defaults = agentSettingsSchema.parse({ node: "n", discovery: "kubernetes" });
    const mounts = container(agent).volumeMounts.filter((v) => v.name !== "scaler-token");
    const [mount, ...others] = mounts;
    expect([mount, others]).toEqual([{ name: "pod-resources", mountPath: dirname(defaults.podResources), readOnly: true }, []]);
    expect(spec(agent).volumes.filter((v) => "hostPath" in v)).toMatchObject([
      { name: "pod-resources", hostPath: { path: dirname(defaults.podResources) } },
    ]);
    expect(container(agent).securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    expect(container(agent).securityContext.privileged).toBeUndefined();
    expect([spec(agent).hostPID, spec(agent).hostNetwork]).toEqual([undefined, undefined]);
    expect(named(m, "Namespace", "fulcrum")?.metadata.labels).toMatchObject({ "pod-security.kubernetes.io/enforce": "privileged" });
    expect([...rightsOf("components/pod-resources/rbac.yaml", "ClusterRole", "Role")]).toEqual(["list resourceslices resource.k8s.io"]);
  });

  it("targets brings a file that its agent accepts, where the agent looks for it", () => {
    const m = withComponents("targets");
    const agent = workload(m, "DaemonSet");
    const mount = container(agent).volumeMounts.find((v) => v.name === "targets");
    expect(env(agent, "FULCRUM_TARGETS")).toBe(`${mount?.mountPath}/$(FULCRUM_NODE).json`);
    expect(env(agent, "FULCRUM_DISCOVERY")).toBe("kubernetes");
    const files = Object.entries(m.configMaps.find((map) => map.metadata.name === "fulcrum-targets")?.data ?? {});
    expect(files).toHaveLength(1);
    for (const [file, text] of files) expect(parseTargets(text, file.replace(/\.json$/, ""))).toMatchObject({ ok: true });
  });

  it("dcgm gives the agent the client library of the host engine's own image, and settings that the agent takes", () => {
    const agent = workload(withComponents("dcgm"), "DaemonSet");
    const library = env(agent, "FULCRUM_DCGM_LIBRARY") ?? "";
    const mount = container(agent).volumeMounts.find(({ mountPath }) => library.startsWith(`${mountPath}/`));
    expect(spec(agent).volumes.map((volume) => volume.name)).toContain(mount?.name);
    const dcgmHost = env(agent, "FULCRUM_DCGM_HOST");
    const settings = { node: "n", targets: "t", gpuReader: env(agent, "FULCRUM_GPU_READER"), dcgmHost, dcgmLibrary: library };
    expect(agentSettingsSchema.parse(settings)).toMatchObject({ gpuReader: "dcgm", dcgmHost: "nvidia-dcgm.gpu-operator.svc:5555" });
  });

  it("dcgm-exporter asks the exporter for every counter the agent reads", () => {
    const m = kustomize(kubectl ?? "", "overlays/dcgm-exporter");
    const agent = workload(m, "DaemonSet");
    expect([spec(agent).runtimeClassName, spec(agent).hostPID]).toEqual([undefined, undefined]);

    const csv = m.configMaps.find((map) => map.metadata.name === "fulcrum-dcgm-counters")?.data["dcgm-metrics.csv"] ?? "";
    const rows = csv.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    for (const row of rows) expect(row, row).toMatch(/^DCGM_FI_[A-Z_]+, (gauge|counter), [^,]+$/);
    const fields = rows.map((row) => row.split(",")[0] ?? "");
    const source = readFileSync(join(root, "core", "engines", "dcgm-exporter.ts"), "utf8");
    // The first name of each signal is the one that dcgm-exporter uses; the others are renamed twins of other exporters.
    const read = [...source.matchAll(/series: \["(DCGM_FI_[A-Z_]+)"|^ {2}\["(DCGM_FI_[A-Z_]+)"/gm)].map(
      (match) => match[1] ?? match[2] ?? "",
    );
    expect(read.length).toBeGreaterThan(12);
    expect(read.filter((name) => !fields.includes(name))).toEqual([]);
    expect(fields.some((name) => CLOCK_EVENTS_SERIES.includes(name))).toBe(true);
  });

  it("keda opens the port that the Service and the examples name, to KEDA's namespace", () => {
    const m = withComponents("keda");
    const scaler = workload(m, "Deployment");
    const port = container(scaler).ports.find((p) => p.name === "keda")?.containerPort;
    expect(env(scaler, "FULCRUM_KEDA_PORT")).toBe(String(port));
    const service = m.services.find((s) => s.metadata.name === "fulcrum-scaler");
    expect(service?.spec.ports.map((p) => p.name).toSorted()).toEqual(["http", "keda"]);
    expect(service?.spec.ports.find((p) => p.name === "keda")).toMatchObject({ port, targetPort: "keda" });
    expect(named(m, "NetworkPolicy", "fulcrum-scaler-keda")).toBeDefined();
    // KEDA acts; Fulcrum itself must not be able to.
    expect(
      m.roles
        .flatMap((role) => role.rules)
        .filter((rule) => rule.resources.some((r) => r.endsWith("/scale")) && rule.verbs.includes("patch")),
    ).toEqual([]);
  });

  it("only the overlay enforce has the right to act", () => {
    for (const overlay of ["observe", "enforce", "dcgm-exporter", "nvml", "keda", "tls"]) {
      const names = kustomize(kubectl ?? "", `overlays/${overlay}`).roles.map((role) => role.metadata.name);
      expect(names.includes("fulcrum-scaler-act"), overlay).toBe(overlay === "enforce");
    }
  });

  it("grafana brings the committed dashboard with the label that its sidecar looks for", () => {
    const map = withComponents("grafana").configMaps.find((m) => m.metadata.name === "fulcrum-dashboards");
    expect(map?.metadata.labels).toMatchObject({ grafana_dashboard: "1" });
    const committed = readFileSync(join(root, "dashboards", "fulcrum-overview.json"), "utf8");
    expect(map?.data["fulcrum-overview.json"]).toBe(committed);
    // Client-side apply keeps a copy in an annotation, and annotations end at 256 KiB.
    expect(JSON.stringify(map).length).toBeLessThan(250_000);
  });

  it("prometheus-operator scrapes both parts at their ports and keeps our labels; its rules are the tested ones", () => {
    const m = withComponents("prometheus-operator");
    const pods = named(m, "PodMonitor", "fulcrum-agent") as unknown as {
      spec: { selector: { matchLabels: Record<string, string> }; podMetricsEndpoints: { port: string; honorLabels: boolean }[] };
    };
    expect(workload(m, "DaemonSet").spec.template.metadata.labels).toMatchObject(pods.spec.selector.matchLabels);
    expect(container(workload(m, "DaemonSet")).ports.map((p) => p.name)).toContain(pods.spec.podMetricsEndpoints[0]?.port);
    expect(pods.spec.podMetricsEndpoints[0]?.honorLabels).toBe(true);
    const services = named(m, "ServiceMonitor", "fulcrum-scaler") as unknown as {
      spec: { selector: { matchLabels: Record<string, string> }; endpoints: { port: string; honorLabels: boolean }[] };
    };
    const service = m.services.find((s) => s.metadata.name === "fulcrum-scaler");
    expect(service?.metadata.labels).toMatchObject(services.spec.selector.matchLabels);
    expect(service?.spec.ports.map((p) => p.name)).toContain(services.spec.endpoints[0]?.port);
    expect(services.spec.endpoints[0]?.honorLabels).toBe(true);
    const rules = parse(readFileSync(join(root, "alerts", "fulcrum.rules.yaml"), "utf8")) as unknown;
    expect(named(m, "PrometheusRule", "fulcrum")?.["spec"]).toEqual(rules);
  });

  it("live-limits opens one way, from the scaler to SGLang's port in namespaces that say so, and brings a key that may be missing", () => {
    const m = withComponents("live-limits");
    const before = withComponents();
    const policies = m.all.filter((o) => o.kind === "NetworkPolicy");
    const added = policies.filter((o) => named(before, "NetworkPolicy", o.metadata.name) === undefined);
    expect(added.map((o) => o["spec"])).toEqual([
      {
        podSelector: { matchLabels: { "app.kubernetes.io/name": "fulcrum-scaler" } },
        policyTypes: ["Egress"],
        egress: [
          {
            to: [{ namespaceSelector: { matchLabels: { "fulcrum.dev/live-limits": "true" } } }],
            // The port of the example's engines, and their default.
            ports: [{ port: 30_000, protocol: "TCP" }],
          },
        ],
      },
    ]);
    const engines = readFileSync(join(root, "deploy/examples/sglang/engines.yaml"), "utf8");
    expect(engines).toContain("containerPort: 30000");
    for (const policy of before.all.filter((o) => o.kind === "NetworkPolicy")) expect(policies).toContainEqual(policy);
    const scaler = workload(m, "Deployment");
    const file = env(scaler, "FULCRUM_ENGINE_KEY_FILE") ?? "";
    const mount = container(scaler).volumeMounts.find((v) => file === `${v.mountPath}/key`);
    const volume = spec(scaler).volumes.find((v) => v.name === mount?.name);
    expect(volume).toMatchObject({ secret: { secretName: "fulcrum-engine-key", optional: true } });
    expect(m.roles).toEqual(before.roles);
  });

  it("network policies name ports that their pods open", () => {
    const m = withComponents("keda");
    const policies = m.all.filter((o) => o.kind === "NetworkPolicy") as unknown as {
      spec: { podSelector: { matchLabels: Record<string, string> }; ingress: { ports: { port: string }[] }[] };
    }[];
    expect(policies).toHaveLength(3);
    for (const { spec: policy } of policies) {
      const pods = m.workloads.find((w) =>
        Object.entries(policy.podSelector.matchLabels).every(([k, v]) => w.spec.template.metadata.labels[k] === v),
      );
      const open = pods === undefined ? [] : container(pods).ports.map((p) => p.name);
      for (const { port } of policy.ingress.flatMap((rule) => rule.ports)) expect(open).toContain(port);
    }
  });
});

describe.skipIf(kubectl === undefined)(`deploy/examples/keda ${needs("kubectl")}`, () => {
  const objects = kubectl === undefined ? [] : (kustomize(kubectl, "examples/keda").all as unknown as ScaledObject[]);
  const policyFile = join(root, "deploy", "overlays", "observe", "policies", "example.yaml");
  const parsed = parsePolicies(readFileSync(policyFile, "utf8"), "example.yaml");
  const [policy] = parsed.ok ? parsed.value : [];

  it("is strictly valid, with triggers that the scaler understands, one for each pool of the example policy", () => {
    expect(objects.flatMap((object) => strictProblems(object))).toEqual([]);
    const roles = objects.map(({ metadata, spec: { triggers } }) => {
      const [trigger] = triggers;
      const subject = subjectOf({
        name: metadata.name,
        namespace: metadata.namespace,
        metadata: new Map(Object.entries(trigger?.metadata ?? {})),
      });
      if (!subject.ok) throw new Error(subject.error.message);
      expect(subject.value.policy).toBe(`${policy?.metadata.namespace}/${policy?.metadata.name}`);
      return subject.value.role;
    });
    expect(roles.toSorted()).toEqual(["decode", "prefill"]);
  });

  it("is what docs/keda.md shows, there in short", () => {
    const page = readFileSync(join(root, "docs", "keda.md"), "utf8");
    const blocks = [...page.matchAll(/```yaml\n(.*?)```/gs)].map((match) => parse(match[1] ?? "") as KubeManifest);
    const shown = blocks.filter((block) => block.kind === "ScaledObject");
    expect(shown).toHaveLength(1);
    expect(shown.flatMap(strictProblems)).toEqual([]);
    const prefill = objects.find((object) => object.metadata.name === "llama-prefill");
    expect(prefill).toMatchObject(shown[0] ?? {});
  });

  it("targets the policy's workloads within the policy's bounds, and falls back to what runs", () => {
    for (const { spec: object } of objects) {
      const role = object.triggers[0]?.metadata["role"] === "prefill" ? "prefill" : "decode";
      const pool = policy?.spec.pools[role];
      expect(object.scaleTargetRef).toEqual(pool?.target);
      expect([object.minReplicaCount, object.maxReplicaCount]).toEqual([pool?.replicas.min, pool?.replicas.max]);
      expect(object.fallback.behavior).toBe("currentReplicas");
      expect(object.minReplicaCount).toBeGreaterThan(0);
    }
  });
});

describe("the strict check itself", () => {
  const good = { apiVersion: "v1", kind: "Service", metadata: { name: "s" }, spec: { ports: [{ port: 80, targetPort: "http" }] } };
  it("refuses unknown fields, wrong types and unknown kinds, at any depth", () => {
    expect(modelProblems(good)).toEqual([]);
    const bad: readonly (readonly [unknown, string])[] = [
      [{ ...good, specs: {} }, "V1Service has no field specs"],
      [{ ...good, spec: { ports: [{ port: "80" }] } }, "spec.ports[0].port: not a number"],
      [{ ...good, spec: { ports: [{ port: 80, targetport: 1 }] } }, "V1ServicePort has no field targetport"],
      [{ ...good, spec: { selector: { a: 1 } } }, "spec.selector.a: not a string"],
      [{ ...good, spec: { ports: {} } }, "spec.ports: not a list"],
      [{ ...good, kind: "Serivce" }, "not a kind that is known here"],
    ];
    for (const [object, problem] of bad) expect(strictProblems(object as KubeManifest).join()).toContain(problem);
    const monitor = {
      apiVersion: "monitoring.coreos.com/v1",
      kind: "PodMonitor",
      metadata: { name: "m", namespace: "n" },
      spec: { selectors: {} },
    };
    expect(strictProblems(monitor).join()).toContain("selectors");
  });
});
