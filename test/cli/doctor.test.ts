import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { runtime } from "../../cli/doctor/checks.ts";
import { FINDING_CODES } from "../../cli/doctor/finding.ts";
import { mlx5, sysTree } from "../agent/nic/trees.ts";
import { runCli } from "../support/run-cli.ts";
import { tempTree } from "../support/temp-tree.ts";

function engines(page: string): string {
  return readFileSync(new URL(`../fixtures/engines/${page}.txt`, import.meta.url), "utf8");
}

const PAGES: Readonly<Record<string, string>> = {
  "/vllm": engines("vllm-main-2026-08-nixl-decode-t1"),
  "/ray": engines("generated-vllm-ray"),
  "/old": engines("generated-vllm-v1-before-rename"),
  "/sglang": engines("sglang-main-2026-08-prefill"),
  "/json": '[{"iter": 1}]',
  "/other": "up 1\n",
  "/gpus": '# TYPE DCGM_FI_DEV_GPU_TEMP gauge\nDCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-1",device="nvidia0"} 40\n',
  "/healthz": "ok\n",
  "/metrics": `# TYPE fulcrum_kv_path_problem gauge
fulcrum_kv_path_problem{problem="kv-transfer-fell-back-to-tcp"} 1
fulcrum_kv_path_problem{problem="kv-path-congested"} 0
`,
};

/** A node's worth of pages on one loopback server. */
async function node(more: Readonly<Record<string, string>> = {}): Promise<string> {
  const server = createServer((request, response) => {
    const page = { ...PAGES, ...more }[request.url ?? ""];
    response.writeHead(page === undefined ? 404 : 200, { "content-type": "text/plain" }).end(page ?? "");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return `127.0.0.1:${address.port}`;
}

function targets(host: string, paths: readonly string[], gpus: readonly string[]): string {
  const engine = (path: string, index: number): object => ({
    url: `http://${host}${path}`,
    namespace: "serving",
    pod: `decode-${index}`,
    pool: path === "/json" ? "trtllm" : path === "/sglang" ? "sglang" : "decode",
    role: "decode",
    model: "m",
    engine: path === "/json" ? "trtllm" : path === "/sglang" ? "sglang" : "vllm",
    phase: "ready",
    startedAt: 1,
  });
  const file = { node: "n", engines: paths.map(engine), gpus: gpus.map((path) => ({ url: `http://${host}${path}` })) };
  return join(tempTree({ "targets.json": JSON.stringify(file) }), "targets.json");
}

const doctor = (file: string, host: string, ...more: readonly string[]) =>
  runCli([
    ...["doctor", "--node", "n", "--targets", file, "--scaler-url", `ws://${host}/agents`],
    ...["--port", "0", "--otlp-grpc-port", "off", "--otlp-http-port", "off", "--sys-path", "/nowhere"],
    ...more,
  ]);

describe("doctor", () => {
  test("a node that has what it needs: a line each, exit 0", async () => {
    const host = await node();
    const { code, stdout } = await doctor(targets(host, ["/vllm"], ["/gpus"]), host);
    expect(stdout.split("\n")).toEqual([
      `ok   Node: ${process.version}`,
      expect.stringMatching(/^ok {3}targets .*: 1 engines, 1 GPU pages$/),
      `ok   engine decode-0 http://${host}/vllm: vllm decode page, 447 samples, 23 signals used`,
      `ok   GPUs http://${host}/gpus: 1 GPUs`,
      expect.stringMatching(/^(ok {2}|warn) {1,}GPU reader: /),
      "ok   RDMA: no port below /nowhere/class/infiniband",
      "ok   metrics: any free port",
      "ok   OTLP gRPC: off",
      "ok   OTLP HTTP: off",
      `ok   scaler ws://${host}/agents: healthy`,
      "",
    ]);
    expect(code).toBe(0);
  });

  test("what is wrong is named with the mend, exit 1", async () => {
    const host = await node();
    const { code, stdout } = await doctor(targets(host, ["/other", "/none"], ["/vllm"]), "127.0.0.1:1");
    expect(stdout).toContain(`FAIL engine decode-0 http://${host}/other: 1 samples, none that vllm has; check`);
    expect(stdout).toContain(`FAIL engine decode-1 http://${host}/none: answers 404 Not Found; check`);
    expect(stdout).toContain(`FAIL GPUs http://${host}/vllm: 447 samples, none of a GPU; point`);
    expect(stdout).toContain("FAIL scaler ws://127.0.0.1:1/agents: nothing listens there; start");
    expect(code).toBe(1);
  });

  test("policies that the scaler does not use as they stand are named with why, exit 1; another program's answer is none of them", async () => {
    const problems = [{ where: "ScalingPolicy serving/llama", message: "POLICY_CONFLICT policy serving/llama is also in a.yaml" }];
    const host = await node({ "/api/state": JSON.stringify({ problems }) });
    const { code, stdout } = await doctor(targets(host, ["/vllm"], []), host);
    expect(stdout).toContain(
      "FAIL policy ScalingPolicy serving/llama: POLICY_CONFLICT policy serving/llama is also in a.yaml; mend the policy",
    );
    expect(code).toBe(1);
    for (const state of ["<html>", "null", '{"problems":[7,{"where":1}]}']) {
      const other = await node({ "/api/state": state });
      expect((await doctor(targets(other, ["/vllm"], []), other)).code).toBe(0);
    }
  });

  test("what a page lacks is named with the way to get it, old names with the new ones; exit 0", async () => {
    const host = await node();
    const { code, stdout } = await doctor(targets(host, ["/ray", "/old"], []), host);
    const of = (pod: string): readonly string[] => stdout.split("\n").filter((line) => line.includes(pod));
    expect(of("decode-0")).toEqual([
      expect.stringMatching(/^ok {3}engine decode-0 \S+: vllm decode page, \d+ samples, 18 signals used$/),
      expect.stringMatching(
        /^warn engine decode-0 \S+: the page lacks kvTransfers \(vllm:nixl_bytes_transferred_count\), .* and 1 more; only NixlConnector /,
      ),
    ]);
    expect(of("decode-1")[0]).toContain("by old names vllm:gpu_cache_usage_perc (until 0.12; now vllm:kv_cache_usage_perc), ");
    expect(of("decode-1")[2]).toMatch(/the page lacks waitingForKv \(.*; vLLM shows waiting requests by reason since April 2026$/);
    expect(code).toBe(0);
  });

  test("--json: the same findings as one object, each with a stable code, and the same exit code", async () => {
    const host = await node();
    const file = targets(host, ["/vllm", "/ray", "/sglang", "/json", "/other", "/none"], ["/gpus", "/vllm", "/none"]);
    const text = await doctor(file, "127.0.0.1:1");
    const { code, stdout, stderr } = await doctor(file, "127.0.0.1:1", "--json");
    expect(code).toBe(text.code);
    expect(stderr).toBe("");
    const said = JSON.parse(stdout) as { node: string; healthy: boolean; findings: Record<string, string | null>[] };
    expect([said.node, said.healthy]).toEqual(["n", false]);
    const words: Readonly<Record<string, string>> = { ok: "ok  ", warning: "warn", error: "FAIL" };
    const lines = said.findings.map(
      (f) => `${words[f["severity"] ?? ""]} ${f["subject"]}: ${f["text"]}${f["mend"] === null ? "" : `; ${f["mend"]}`}`,
    );
    expect(lines).toEqual(text.stdout.trimEnd().split("\n"));
    const codes = said.findings.map((f) => f["code"]).filter((found) => found !== "gpu-reader");
    expect(codes).toEqual([
      ...[
        "node-version",
        "targets",
        "engine",
        "engine",
        "engine-signals-missing",
        "engine",
        "engine-role-mismatch",
        "engine-signals-missing",
      ],
      ...["engine-json-page", "engine-not-understood", "engine-unreachable", "gpu-page", "gpu-page-empty", "gpu-page-unreachable", "rdma"],
      ...["port", "port", "port", "scaler-unreachable"],
    ]);
    expect(said.findings.filter((f) => !FINDING_CODES.some((known) => known === f["code"]))).toEqual([]);
  });

  test("--json: a healthy node", async () => {
    const host = await node();
    const { code, stdout } = await doctor(targets(host, ["/vllm"], ["/gpus"]), host, "--json");
    expect([code, (JSON.parse(stdout) as { healthy: boolean }).healthy]).toEqual([0, true]);
  });

  test("RDMA ports with their state, and what the agent that runs here says of the KV path", async () => {
    const host = await node();
    const sys = sysTree([mlx5(), mlx5({ device: "mlx5_1", state: "1: DOWN" }), { device: "odd0", rate: "100 Gb/sec (4X EDR)" }]);
    const port = host.split(":")[1] ?? "";
    const { code, stdout } = await doctor(targets(host, ["/vllm"], ["/gpus"]), host, "--sys-path", sys, "--port", port);
    const lines = stdout.split("\n");
    expect(lines).toContain("ok   RDMA port mlx5_0/1: Ethernet, 400 Gb/s, ens1np0, 19 counters");
    expect(lines).toContainEqual(expect.stringMatching(/^warn RDMA port mlx5_1\/1: Ethernet, 400 Gb\/s, ens1np0, down; fine for/));
    expect(lines).toContainEqual(expect.stringMatching(/^warn RDMA port odd0\/1: link layer unknown, 100 Gb\/s, no counter of bytes/));
    expect(lines).toContainEqual(expect.stringMatching(/^warn KV path: the agent raises kv-transfer-fell-back-to-tcp; see docs\/runbooks/));
    expect(lines).toContain("ok   KV path: the agent sees no kv-path-congested");
    expect(code).toBe(0);
  });

  test("a page of another role than the targets file says", async () => {
    const host = await node();
    const { stdout } = await doctor(targets(host, ["/sglang"], []), host);
    expect(stdout).toContain("the page is of the role prefill, the targets file says decode; set `role` in the targets file");
    const vllm = await doctor(targets(host, ["/vllm"], []), host);
    expect(vllm.stdout).not.toContain("of the role");
  });

  test("TensorRT-LLM's JSON page is told from its metrics page", async () => {
    const host = await node();
    const { code, stdout } = await doctor(targets(host, ["/json"], []), host);
    expect(stdout).toContain("answers JSON, not a metrics page; set the url's path to /prometheus/metrics");
    expect(code).toBe(1);
  });

  test("a targets file that is missing or another node's", async () => {
    const host = await node();
    expect((await doctor("none.json", host)).stdout).toContain("FAIL targets none.json: no such file; give");
    const file = targets(host, [], []);
    const other = await runCli(["doctor", "--node", "m", "--targets", file, "--scaler-url", `ws://${host}/agents`]);
    expect(other.stdout).toContain('the file is for "n", this agent runs as "m"');
    expect((await doctor(file, host)).stdout).toContain("warn targets");
  });

  test.each([
    ["v20.18.9", "bad"],
    ["v18.20.0", "bad"],
    ["v20.19.0", "good"],
    ["v24.0.0", "good"],
  ])("Node %s is %s", (version, standing) => {
    expect(runtime(version).standing).toBe(standing);
  });
});
