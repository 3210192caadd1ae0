import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status as grpc } from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import { agentSettingsSchema } from "../../../agent/config.ts";
import { createKubelet } from "../../../agent/discover/kubelet.ts";
import { createPodDevices } from "../../../agent/discover/pod-devices.ts";
import { gpuReports, observeGpu } from "../../../agent/summarize/gpus.ts";
import { examine } from "../../../cli/doctor/checks.ts";
import { gpuHolders } from "../../../core/kubelet/gpu-holders.ts";
import type { Fields, Json } from "../../support/kube-api/store.ts";
import { status } from "../../support/kube-api/respond.ts";
import { startKubeApi, type KubeApiServer } from "../../support/kube-api/server.ts";
import { rightsOf } from "../../support/rights.ts";
import { startKubelet, type FakeKubelet, type PodDevices } from "../../support/kubelet.ts";
import { engineTarget } from "../support/agent.ts";
import { until } from "../support/until.ts";

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});
async function kubelet(...args: Parameters<typeof startKubelet>): Promise<FakeKubelet> {
  const server = await startKubelet(...args);
  open.push(() => server.close());
  return server;
}

const A = "GPU-8a56a4bc-e184-a047-2620-be19fdf913d5";
const B = "GPU-11111111-2222-3333-4444-555555555555";
const pod = (name: string, ids: readonly string[], resource_name = "nvidia.com/gpu", namespace = "ns"): PodDevices => ({
  name,
  namespace,
  containers: [
    { name: "sidecar" },
    {
      name: "engine",
      devices: [{ resource_name, device_ids: ids, topology: { nodes: [{ ID: 1 }] } }],
      cpu_ids: [1, 2, 300],
      memory: [{ memory_type: "memory", size: 1 }],
    },
  ],
});
const claim = (name: string, device: string, driver = "gpu.nvidia.com"): PodDevices => ({
  name,
  namespace: "ns",
  containers: [
    {
      name: "engine",
      dynamic_resources: [
        {
          claim_name: `${name}-gpu`,
          claim_namespace: "ns",
          claim_resources: [
            { cdi_devices: [{ name: `k8s.${driver}/claim=x` }], driver_name: driver, pool_name: "node-a", device_name: device },
          ],
        },
      ],
    },
  ],
});

async function holdersOf(pods: readonly PodDevices[]) {
  const server = await kubelet(pods);
  const client = createKubelet(server.socket);
  open.push(client.close);
  const answer = await client.list();
  if (!answer.ok) throw new Error(answer.error);
  const holders = gpuHolders(answer.value, new Map());
  return (uuid: string, gpu = "?", parent?: string): string[] =>
    holders.of({ uuid, gpu, ...(parent !== undefined && { instance: { parent } }) }).map((h) => `${h.namespace}/${h.pod}`);
}

describe("the kubelet's list, over its unix socket", () => {
  it("leads from a GPU to the pod that was given it, in every form that plugins name it", async () => {
    const of = await holdersOf([
      pod("whole", [A]),
      pod("sliced-0", [`${B}::0`]),
      pod("sliced-1", [`${B}::3`, `${B}::4`], "nvidia.com/gpu.shared"),
      pod("mig", ["MIG-3f2504e0-4f89-11d3-9a0c-0305e82c3301"], "nvidia.com/mig-1g.10gb"),
      pod("old-mig", ["MIG-GPU-99999999-2222-3333-4444-555555555555/3/0"], "nvidia.com/mig-2g.20gb"),
      pod("gke", ["nvidia5"]),
      pod("nic", ["0000:3b:00.1"], "rdma/hca", "kube-system"),
    ]);
    expect(of(A)).toEqual(["ns/whole"]);
    expect(of(B).toSorted()).toEqual(["ns/sliced-0", "ns/sliced-1"]);
    expect(of("MIG-3f2504e0-4f89-11d3-9a0c-0305e82c3301")).toEqual(["ns/mig"]);
    expect(of("GPU-0", "5")).toEqual(["ns/gke"]);
    expect(of("0000:3b:00.1")).toEqual([]);
  });

  it("leads from a part of a GPU to who was given that part, never to the whole or to another part", async () => {
    const of = await holdersOf([
      pod("gke-3", ["nvidia0/gi3"]),
      pod("gke-5", ["nvidia0/gi5/vgpu0", "nvidia0/gi5/vgpu1"]),
      pod("gke-shared", ["nvidia1/vgpu0"]),
      pod("old-mig", [`MIG-${B}/3/0`], "nvidia.com/mig-2g.20gb"),
    ]);
    // NVML gives instances UUIDs of their own, DCGM and its exporter give them their GPU's.
    for (const uuid of ["MIG-3f2504e0-4f89-11d3-9a0c-0305e82c3301", A]) {
      expect([of(uuid, "0/3", A), of(uuid, "0/5", A)]).toEqual([["ns/gke-3"], ["ns/gke-5"]]);
      // Given to nobody, or a number that the reader does not know: nobody's.
      expect([of(uuid, "0/4", A), of(uuid, "1/3", A)]).toEqual([[], []]);
    }
    expect(of(A, "0")).toEqual([]);
    expect(of(A, "1")).toEqual(["ns/gke-shared"]);
    expect([of(`MIG-${B}/3/0`, "2/3", B), of(B, "2/3", B)]).toEqual([["ns/old-mig"], ["ns/old-mig"]]);
    expect([of(B, "2/4", B), of(B, "2")]).toEqual([[], []]);
  });

  it("speaks v1alpha1 to a kubelet that has nothing newer, and goes back when it is upgraded", async () => {
    const server = await kubelet([pod("old", [A])], ["v1alpha1"]);
    const client = createKubelet(server.socket);
    open.push(client.close);
    for (let i = 0; i < 2; i++)
      expect(await client.list()).toMatchObject({ ok: true, value: [{ pod: "old", device: { by: "plugin", id: A } }] });
    expect(server.calls).toEqual(["v1alpha1.List", "v1alpha1.List"]);
    server.failure = { code: grpc.UNIMPLEMENTED, details: "gone" };
    expect((await client.list()).ok).toBe(false);
    server.failure = undefined;
    expect((await client.list()).ok).toBe(true);
  });

  it("says what a kubelet says that cannot, and that nobody listens", async () => {
    const server = await kubelet([]);
    server.failure = { code: grpc.RESOURCE_EXHAUSTED, details: "rejected by rate limit" };
    const client = createKubelet(server.socket);
    open.push(client.close);
    expect(await client.list()).toEqual({ ok: false, error: "v1: RESOURCE_EXHAUSTED rejected by rate limit" });
    const nobody = createKubelet("/nowhere/kubelet.sock");
    open.push(nobody.close);
    const answer = await nobody.list();
    expect(!answer.ok && answer.error).toMatch(/^v1: UNAVAILABLE .*\/nowhere/);
  });
});

async function follow(socket: string, api?: KubeApiServer) {
  const account = await mkdtemp(join(tmpdir(), "fulcrum-account-"));
  await writeFile(join(account, "token"), "secret");
  const stop = new AbortController();
  const settings = {
    podResources: socket,
    node: "node-a",
    discovery: api === undefined ? ("off" as const) : ("kubernetes" as const),
    kubeApi: api?.url,
    serviceAccount: account,
  };
  const clock = { at: 1000 };
  const devices = createPodDevices({
    ...{ settings, now: () => clock.at, origin: 0, period: 0.05 },
    onBug: (cause) => {
      throw cause;
    },
  });
  const running = devices.run(stop.signal);
  open.push(async () => {
    stop.abort();
    await running;
    await rm(account, { recursive: true, force: true });
  });
  const holds = (uuid: string): string =>
    devices
      .holders()
      .of({ uuid, gpu: "?" })
      .map((h) => h.pod)
      .join();
  return { devices, clock, holds };
}

describe("who holds a GPU", () => {
  it("is followed as pods come and go, and not believed once the kubelet has been silent for a minute", async () => {
    const server = await kubelet([pod("first", [A])]);
    const { devices, clock, holds } = await follow(server.socket);
    await until("the first", () => holds(A) === "first");
    server.pods = [pod("second", [A])];
    await until("the second", () => holds(A) === "second");
    server.failure = { code: grpc.UNAVAILABLE, details: "restarting" };
    await until("the loss", () => devices.sources(clock.at)[0]?.up === false);
    clock.at += 59;
    expect(holds(A)).toBe("second");
    clock.at += 2;
    expect(holds(A)).toBe("");
    server.failure = undefined;
    await until("again", () => holds(A) === "second");
  });

  it("by a claim (DRA) is looked up in the node's ResourceSlices, of whichever version the cluster serves", async () => {
    const api = await startKubeApi();
    open.push(() => api.close());
    const slice = (name: string, driver: string, nodeName: string, devices: Json): void =>
      void api.store.create("resourceslices.resource.k8s.io", {
        ...{ apiVersion: "resource.k8s.io/v1beta1", kind: "ResourceSlice", metadata: { name, namespace: "" } },
        spec: { driver, nodeName, pool: { name: "node-a", generation: 1, resourceSliceCount: 1 }, devices },
      });
    const gpu = (name: string, attributes: Fields): Json => ({ name, basic: { attributes } });
    slice("mine", "gpu.nvidia.com", "node-a", [
      gpu("gpu-0", { type: { string: "gpu" }, uuid: { string: A }, minor: { int: 0 } }),
      gpu("gpu-1-mig-1g10gb-0", { uuid: { string: "MIG-1" }, parentUUID: { string: B } }),
    ]);
    slice("other", "gpu.nvidia.com", "node-b", [gpu("gpu-0", { uuid: { string: "GPU-of-another-node" } })]);
    slice("nic", "nic.example.com", "node-a", [gpu("gpu-0", { uuid: { string: "not-a-gpu" } })]);
    const server = await kubelet([claim("whole", "gpu-0"), claim("slice", "gpu-1-mig-1g10gb-0"), claim("nic", "eth0", "nic.example.com")]);
    const { devices, holds, clock } = await follow(server.socket, api);
    await until("the claims", () => holds(A) === "whole");
    expect([holds("MIG-1"), holds(B)]).toEqual(["slice", ""]);
    // Versions that the cluster does not serve answer 404; the rights are those of the component.
    const asked = new Set(api.calls.map((c) => `${c.verb} ${c.resource} ${c.group}`));
    expect(asked).toEqual(rightsOf("components/pod-resources/rbac.yaml", "ClusterRole"));
    expect(devices.sources(clock.at)).toMatchObject([{ source: "gpu", target: `kubelet ${server.socket}`, up: true }]);
  });

  it("by a claim that no slice explains is unknown, and said", async () => {
    const api = await startKubeApi();
    open.push(() => api.close());
    api.fault = ({ resource }) => (resource === "resourceslices" ? status(403, "Forbidden", "resourceslices is forbidden") : undefined);
    const server = await kubelet([claim("whole", "gpu-0")]);
    const { devices, clock } = await follow(server.socket, api);
    await until("the note", () => devices.sources(clock.at)[0]?.error?.includes("forbidden"));
    expect(devices.holders().unresolved).toBe(1);
  });

  it("is no source where no kubelet is", async () => {
    const { devices } = await follow("/nowhere/kubelet.sock");
    expect(devices.sources(0)).toEqual([]);
  });
});

describe("fulcrum doctor", () => {
  it("tells what the kubelet told, and the mend when it cannot be asked", async () => {
    const server = await kubelet([pod("whole", [A, B]), pod("other", ["nic"], "rdma/hca")]);
    const says = async (podResources: string): Promise<string[]> => {
      const settings = agentSettingsSchema.parse({ node: "n", discovery: "kubernetes", gpuReader: "off", podResources });
      return (await examine(settings, process.version)).map((f) => `${f.standing} ${f.what}: ${f.how}; ${f.mend ?? ""}`);
    };
    expect(await says(server.socket)).toContainEqual(`good kubelet ${server.socket}: 3 devices given to 2 pods; `);
    server.failure = { code: grpc.PERMISSION_DENIED, details: "no" };
    expect(await says(server.socket)).toContainEqual(
      expect.stringMatching(/^warning kubelet .*PERMISSION_DENIED no; run the agent as root/),
    );
  });
});

describe("a GPU's pool in the report", () => {
  const gpu = (more: object = {}) => [observeGpu(undefined, { gpu: "0", uuid: A, ...more }, 0)];
  const targets = [
    engineTarget("http://x/metrics", { pod: "d-0", uid: "uid-d0" }),
    engineTarget("http://x/metrics", { pod: "d-1", uid: "uid-d1" }),
    engineTarget("http://x/metrics", { pod: "p-0", uid: "uid-p0", pool: "prefill", role: "prefill" }),
  ];
  const given = (...pods: string[]) =>
    gpuHolders(
      pods.map((name) => ({
        namespace: "ns",
        pod: name,
        container: "c",
        device: { by: "plugin", resource: "nvidia.com/gpu", id: `${A}::${name}` } as const,
      })),
      new Map(),
    );
  const holder = (sample: object, ...pods: string[]) => {
    const [report] = gpuReports(gpu(sample), targets, 0, given(...pods));
    return [report?.pod, report?.pool, report?.role];
  };

  it("is known from the kubelet when nothing runs on it, and from the processes when something does", () => {
    expect(holder({}, "d-0")).toEqual(["d-0", "decode", "decode"]);
    expect(holder({ podUids: ["uid-p0"] }, "d-0")).toEqual(["p-0", "prefill", "prefill"]);
    expect(holder({ podUids: ["somebody"] }, "d-0")).toEqual(["d-0", "decode", "decode"]);
    expect(holder({})).toEqual([undefined, undefined, undefined]);
  });

  it("of a shared GPU is that of all who share it, or none: counters cannot be divided", () => {
    expect(holder({}, "d-0", "d-1")).toEqual([undefined, "decode", "decode"]);
    expect(holder({}, "d-0", "p-0")).toEqual([undefined, undefined, undefined]);
    expect(holder({}, "d-0", "training")).toEqual([undefined, undefined, undefined]);
    expect(holder({ podUids: ["uid-d0", "uid-p0"] })).toEqual([undefined, undefined, undefined]);
  });

  it("of a pod that serves nothing is none, but the pod is named", () => {
    expect(holder({}, "training")).toEqual(["training", undefined, undefined]);
  });
});
