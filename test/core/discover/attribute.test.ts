import { describe, expect, it } from "vitest";
import { attribute } from "../../../core/discover/attribute.ts";
import { ANNOTATIONS, type Pod } from "../../../core/discover/pod.ts";
import type { EngineTarget } from "../../../core/targets.ts";
import { container, pod } from "./pods.ts";

const target = (p: Pod): EngineTarget => {
  const found = attribute(p);
  if (found.kind !== "engine") throw new Error(JSON.stringify(found));
  return found.target;
};
const reason = (p: Pod): string => {
  const found = attribute(p);
  return found.kind === "unattributed" ? found.problem.reason : found.kind;
};

/** Pods as the serving stacks make them, with what is to be read of each. */
const STACKS: readonly (readonly [string, Partial<Pod>, Partial<EngineTarget>])[] = [
  [
    "llm-d: label on a Deployment's pod, vLLM behind a routing sidecar on another port",
    {
      labels: { "llm-d.ai/role": "decode", "llm-d.ai/model": "llama-8b", "pod-template-hash": "7d9f8c" },
      owner: { kind: "ReplicaSet", name: "ms-llama-decode-7d9f8c" },
      containers: [
        container({
          name: "routing-proxy",
          image: "ghcr.io/llm-d/llm-d-routing-sidecar:v0.4",
          words: ["--port=8000", "--vllm-port=8200"],
          gpus: 0,
        }),
        container({
          image: "ghcr.io/llm-d/llm-d-cuda:v0.4",
          words: [
            "vllm",
            "serve",
            "meta-llama/Llama-3.1-8B",
            "--port",
            "8200",
            "--kv-transfer-config",
            '{"kv_connector":"NixlConnector","kv_role":"kv_both"}',
          ],
          ports: [{ name: "metrics", port: 8200 }],
        }),
      ],
    },
    { pool: "ms-llama-decode", role: "decode", engine: "vllm", url: "http://10.0.0.12:8200/metrics", model: "meta-llama/Llama-3.1-8B" },
  ],
  ["llm-d: both roles in one", { labels: { "llm-d.ai/role": "both" } }, { role: "aggregated", pool: "llama-prefill" }],
  [
    "Dynamo: sub-type before type, the adapter's name, the system port",
    {
      labels: {
        "nvidia.com/dynamo-graph-deployment-name": "disagg",
        "nvidia.com/dynamo-component": "VllmPrefillWorker",
        "nvidia.com/dynamo-component-type": "worker",
        "nvidia.com/dynamo-sub-component-type": "prefill",
      },
      containers: [
        container({
          image: "nvcr.io/nvidia/ai-dynamo/vllm-runtime:0.9",
          words: ["python3", "-m", "dynamo.vllm", "--model", "Qwen/Qwen3-32B", "--is-prefill-worker"],
          env: { DYN_SYSTEM_PORT: "9091" },
          ports: [{ name: "system", port: 9091 }],
        }),
      ],
    },
    { pool: "disagg-vllmprefillworker", role: "prefill", engine: "vllm", url: "http://10.0.0.12:9091/metrics", model: "Qwen/Qwen3-32B" },
  ],
  [
    "Dynamo: only the component's name tells",
    {
      labels: {
        "nvidia.com/dynamo-graph-deployment-name": "g",
        "nvidia.com/dynamo-component": "TRTLLMDecodeWorker",
        "nvidia.com/dynamo-component-type": "worker",
      },
      containers: [
        container({
          words: ["/bin/sh", "-c", "python3 -m dynamo.trtllm --model-path $MODEL --served-model-name $NAME"],
          env: { NAME: "dsr1" },
        }),
      ],
    },
    { role: "decode", engine: "trtllm", url: "http://10.0.0.12:8000/metrics", model: "dsr1", pool: "g-trtllmdecodeworker" },
  ],
  [
    "Dynamo: the frontend is one whatever else is labelled",
    {
      labels: {
        "nvidia.com/dynamo-graph-deployment-name": "g",
        "nvidia.com/dynamo-component": "Frontend",
        "nvidia.com/dynamo-component-type": "frontend",
      },
      containers: [container({ words: ["python3", "-m", "dynamo.frontend", "--http-port", "8080"], gpus: 0, ports: [] })],
    },
    { role: "frontend", engine: "dynamo-frontend", url: "http://10.0.0.12:8080/metrics", pool: "g-frontend" },
  ],
  [
    "RoleBasedGroup: SGLang with its default port",
    {
      labels: { "rbg.workloads.x-k8s.io/group-name": "deepseek", "rbg.workloads.x-k8s.io/role-name": "decode" },
      containers: [
        container({
          image: "lmsysorg/sglang:v0.5.5",
          words: ["python3", "-m", "sglang.launch_server", "--model-path", "deepseek-ai/DeepSeek-V3", "--disaggregation-mode", "decode"],
          ports: [],
        }),
      ],
    },
    { role: "decode", engine: "sglang", pool: "deepseek-decode", url: "http://10.0.0.12:30000/metrics", model: "deepseek-ai/DeepSeek-V3" },
  ],
  [
    "RoleBasedGroup before v1alpha2",
    {
      labels: { "rolebasedgroup.workloads.x-k8s.io/name": "deepseek", "rolebasedgroup.workloads.x-k8s.io/role": "decode" },
      containers: [
        container({
          image: "lmsysorg/sglang:v0.5.5",
          words: ["python3", "-m", "sglang.launch_server", "--model-path", "deepseek-ai/DeepSeek-V3", "--disaggregation-mode", "decode"],
          ports: [],
        }),
      ],
    },
    { role: "decode", engine: "sglang", pool: "deepseek-decode", url: "http://10.0.0.12:30000/metrics", model: "deepseek-ai/DeepSeek-V3" },
  ],
  [
    "StormService",
    { labels: { "storm-service-name": "llm", "role-name": "prefill", "stormservice.orchestration.aibrix.ai/pod-group-index": "0" } },
    { role: "prefill", pool: "llm-prefill" },
  ],
  [
    "Kthena ModelServing",
    { labels: { "modelserving.volcano.sh/name": "ms", "modelserving.volcano.sh/role": "decode", "modelserving.volcano.sh/entry": "true" } },
    { role: "decode", pool: "ms-decode" },
  ],
  [
    "DisaggregatedSet over a LeaderWorkerSet: the role scaler's name, not the child's",
    {
      labels: {
        "disaggregatedset.x-k8s.io/name": "ds",
        "disaggregatedset.x-k8s.io/role": "prefill",
        "leaderworkerset.sigs.k8s.io/name": "ds-prefill-0",
        "leaderworkerset.sigs.k8s.io/worker-index": "0",
      },
    },
    { role: "prefill", pool: "ds-prefill" },
  ],
  [
    "Arks",
    { labels: { "arks.ai/disaggregation-role": "decode", "arks.ai/work-load-role": "leader" } },
    { role: "decode", pool: "llama-prefill" },
  ],
  [
    "Grove",
    { labels: { "grove.io/podclique": "srv-0-prefill-ldr", "grove.io/podcliquescalinggroup": "srv-0-prefill" } },
    { role: "prefill", pool: "srv-0-prefill" },
  ],
  [
    "no label: vLLM's KV role in a shell script",
    {
      containers: [
        container({
          words: [
            "bash",
            "-lc",
            `exec vllm serve Qwen/Qwen3-8B \\\n  --port=8100 --kv-transfer-config '{"kv_connector": "P2pNcclConnector", "kv_role": "kv_producer"}'`,
          ],
          ports: [],
        }),
      ],
    },
    { role: "prefill", url: "http://10.0.0.12:8100/metrics", model: "Qwen/Qwen3-8B" },
  ],
  [
    "no label: vLLM's KV role as a dotted flag",
    { containers: [container({ words: ["vllm", "serve", "m", "--kv-transfer-config.kv_role", "kv_consumer"] })] },
    { role: "decode", model: "m" },
  ],
  [
    "no label: trtllm-serve's server role, and its own path",
    {
      containers: [
        container({
          image: "nvcr.io/nvidia/tensorrt-llm/release:1.2",
          words: ["trtllm-serve", "nvidia/Llama-8B", "--server_role", "GENERATION", "--port", "8001"],
        }),
      ],
    },
    { role: "decode", engine: "trtllm", url: "http://10.0.0.12:8001/prometheus/metrics", model: "nvidia/Llama-8B" },
  ],
  [
    "annotations before everything",
    {
      labels: { "llm-d.ai/role": "decode" },
      annotations: {
        [ANNOTATIONS.role]: "prefill",
        [ANNOTATIONS.pool]: "mine",
        [ANNOTATIONS.model]: "m",
        [ANNOTATIONS.engine]: "sglang",
        [ANNOTATIONS.scrape]: "9000/stats",
      },
    },
    { role: "prefill", pool: "mine", model: "m", engine: "sglang", url: "http://10.0.0.12:9000/stats" },
  ],
  [
    "the convention of Prometheus annotations",
    {
      labels: { "llm-d.ai/role": "prefill" },
      annotations: { "prometheus.io/scheme": "https", "prometheus.io/port": "8443", "prometheus.io/path": "m" },
      ip: "fd00::5",
    },
    { url: "https://[fd00::5]:8443/m" },
  ],
];

describe("a pod's pool, role and page", () => {
  it.each(STACKS)("%s", (_, given, expected) => {
    expect(target(pod(given))).toMatchObject(expected);
  });

  it("knows an llm-d endpoint picker as a frontend, though its pool's label is none", () => {
    const epp = pod({
      containers: [
        container({
          image: "ghcr.io/llm-d/llm-d-inference-scheduler:v0.4",
          words: ["/app/epp", "--pool-name", "p", "--metrics-port", "9091"],
          gpus: 0,
        }),
      ],
    });
    expect(target(epp)).toMatchObject({ role: "frontend", engine: "llm-d-epp", url: "http://10.0.0.12:9091/metrics" });
  });

  it("tells ready, starting and draining apart, and has the pod's birth and UID", () => {
    const prefill = { labels: { "llm-d.ai/role": "prefill" } };
    expect(target(pod(prefill))).toMatchObject({ phase: "ready", startedAt: 1_795_000_000, uid: "6c1b7a2e-1111-4222-8333-444455556666" });
    expect(target(pod({ ...prefill, ready: false })).phase).toBe("starting");
    expect(target(pod({ ...prefill, deleting: true })).phase).toBe("draining");
    const { ip: _, ...homeless } = pod({ ...prefill, ready: false });
    expect(attribute(homeless)).toEqual({ kind: "waiting" });
    expect(reason(pod({ ...prefill, ended: true }))).toBe("ignored");
  });

  it("reads the leader of a replica of several pods and leaves its followers alone", () => {
    for (const labels of [
      { "leaderworkerset.sigs.k8s.io/worker-index": "1", "llm-d.ai/role": "prefill" },
      { "grove.io/podclique": "srv-0-decode-wkr" },
      { "arks.ai/work-load-role": "worker", "arks.ai/disaggregation-role": "decode" },
    ])
      expect(reason(pod({ labels }))).toBe("ignored");
  });

  it("finds the GPU exporter of the node by the labels of its charts", () => {
    const exporter = {
      containers: [
        container({ image: "nvcr.io/nvidia/k8s/dcgm-exporter:4.5", words: [], ports: [{ name: "metrics", port: 9400 }], gpus: 0 }),
      ],
    };
    expect(attribute(pod({ ...exporter, labels: { app: "nvidia-dcgm-exporter" } }))).toEqual({
      kind: "gpu-page",
      url: "http://10.0.0.12:9400/metrics",
    });
    expect(attribute(pod({ ...exporter, labels: { "app.kubernetes.io/name": "dcgm-exporter" }, ready: false }))).toEqual({
      kind: "ignored",
    });
  });
});

describe("what cannot be known is said and not guessed", () => {
  it.each<readonly [string, Partial<Pod>]>([
    ["no-role", {}],
    ["no-role", { labels: { "nvidia.com/dynamo-component-type": "worker" } }],
    ["no-role", { containers: [container({ words: ["vllm", "serve", "m", "--kv-transfer-config", '{"kv_role":"kv_both"}'] })] }],
    ["ambiguous-role", { labels: { "rbg.workloads.x-k8s.io/role-name": "decode", "llm-d.ai/role": "prefill" } }],
    [
      "ambiguous-role",
      { labels: { "llm-d.ai/role": "prefill" }, containers: [container({ words: ["sglang", "serve", "--disaggregation-mode=decode"] })] },
    ],
    ["no-role", { labels: { "role-name": "prefill-decode" } }],
    ["unsupported-role", { labels: { "llm-d.ai/role": "encode" } }],
    ["no-engine", { containers: [container({ image: "pytorch/pytorch:2.6", words: ["torchrun", "train.py"] })] }],
    ["no-engine", { labels: { "llm-d.ai/role": "decode" }, containers: [container({ image: "acme/serve:1", words: ["/run"], gpus: 0 })] }],
    ["bad-annotation", { annotations: { [ANNOTATIONS.role]: "Prefill" } }],
    ["bad-annotation", { annotations: { [ANNOTATIONS.engine]: "llama.cpp" } }],
    ["bad-annotation", { labels: { "llm-d.ai/role": "decode" }, annotations: { [ANNOTATIONS.scrape]: "no-such-port" } }],
    ["bad-annotation", { labels: { "llm-d.ai/role": "decode" }, annotations: { [ANNOTATIONS.scrape]: "99999" } }],
  ])("%s", (expected, given) => {
    expect(reason(pod(given))).toBe(expected);
  });

  it("a pod that no controller made has no pool, until an annotation names it", () => {
    const { owner: _, ...bare } = pod({ labels: { "llm-d.ai/role": "decode" } });
    expect(reason(bare)).toBe("no-pool");
    expect(target({ ...bare, annotations: { [ANNOTATIONS.pool]: "by-hand" } }).pool).toBe("by-hand");
  });

  it("a role that is switched while it runs is the label's, not the argument's", () => {
    const switched = {
      labels: { "llm-d.ai/role": "prefill" },
      containers: [container({ words: ["sglang", "serve", "--disaggregation-mode", "decode", "--enable-pd-role-switch"] })],
    };
    expect(target(pod(switched)).role).toBe("prefill");
  });

  it("a pod that serves nothing is none of ours, nor is one that is taken out", () => {
    const nginx = { containers: [container({ image: "nginx:1", words: [], gpus: 0 })], labels: { "role-name": "web" } };
    expect(attribute(pod(nginx))).toEqual({ kind: "ignored" });
    expect(attribute(pod({ annotations: { [ANNOTATIONS.scrape]: "false" } }))).toEqual({ kind: "ignored" });
    const router = {
      containers: [
        container({
          image: "lmsysorg/sglang-router:v0.3",
          words: ["python3", "-m", "sglang_router.launch_router", "--pd-disaggregation"],
          gpus: 0,
        }),
      ],
    };
    expect(attribute(pod(router))).toEqual({ kind: "ignored" });
  });
});
