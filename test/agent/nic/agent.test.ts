import { describe, expect, it, onTestFinished } from "vitest";
import { engineTarget, startAgent } from "../support/agent.ts";
import { servePage } from "../support/pages.ts";
import { reportWhere, startScaler } from "../support/scaler.ts";
import { until } from "../support/until.ts";
import { mlx5, procTree, setInterfaces, setPort, sysTree } from "./trees.ts";

const page = (bytes: number): string => `# TYPE vllm:nixl_bytes_transferred histogram
vllm:nixl_bytes_transferred_sum{engine="0",model_name="m"} ${bytes}
vllm:nixl_bytes_transferred_count{engine="0",model_name="m"} 1
vllm:nixl_bytes_transferred_bucket{engine="0",model_name="m",le="+Inf"} 1
`;

describe("an agent whose node has RDMA", () => {
  it("puts the engines' KV bytes beside what the ports and interfaces carried, in reports and metrics", async () => {
    const sys = sysTree([mlx5()]);
    const proc = procTree({ ens1np0: [0, 0] });
    const engine = await servePage(page(0));
    const scaler = await startScaler();
    const settings = { sysPath: sys, procPath: proc, gpuReader: "off" as const, scalerUrl: scaler.url };
    const agent = await startAgent(settings, { engines: [engineTarget(engine.url)] });
    onTestFinished(async () => {
      await agent.stop();
      await scaler.stop();
      await engine.close();
    });
    await reportWhere(scaler, "a window of the adapters", (r) => r.kvPath !== undefined);
    engine.show(page(4e9));
    setPort(sys, mlx5({ counters: { port_rcv_data: 1e9, port_rcv_packets: 1e6 }, hw: { np_ecn_marked_roce_packets: 5 } }));
    setInterfaces(proc, { ens1np0: [3e6, 0] });

    const report = await reportWhere(scaler, "the port's bytes", (r) => (r.nics?.[0]?.counters.receiveBytes ?? 0) > 0);
    expect(report.nics?.[0]).toMatchObject({ device: "mlx5_0", port: 1, netdev: "ens1np0", up: true, linkBytesPerSecond: 50e9 });
    expect(report.nics?.[0]?.counters).toMatchObject({ receiveBytes: 4e9, receivePackets: 1e6, ecnMarked: 5, symbolErrors: 0 });
    expect(report.kvPath?.rates.rdmaReceive).toBeCloseTo(4e9 / (report.kvPath?.seconds ?? 1), 0);
    await reportWhere(scaler, "the engine's bytes", (r) => (r.kvPath?.rates.application ?? 0) > 0);
    await reportWhere(scaler, "the host's network", (r) => (r.host.receiveBytesPerSecond ?? 0) > 0);
    expect(report.sources).toContainEqual(expect.objectContaining({ source: "host", target: "node-a/rdma", up: true }));

    const metrics = await until("the port's bytes on the page", async () => {
      const text = await agent.metrics();
      return /fulcrum_rdma_receive_bytes_total\{.*\} 4000000000\n/.test(text) ? text : undefined;
    });
    expect(metrics).toContain('fulcrum_rdma_link_up{device="mlx5_0",port="1",netdev="ens1np0"} 1');
    expect(metrics).toContain('fulcrum_rdma_events_total{device="mlx5_0",port="1",netdev="ens1np0",event="ecn_marked"} 5');
    expect(metrics).toMatch(/fulcrum_kv_path_bytes_per_second\{path="network",direction="receive"\} \d/);
  });

  it("says nothing of ports, and no source of them, on a node without", async () => {
    const scaler = await startScaler();
    const agent = await startAgent({ sysPath: "/nowhere", gpuReader: "off", scalerUrl: scaler.url });
    onTestFinished(async () => {
      await agent.stop();
      await scaler.stop();
    });
    const report = await reportWhere(scaler, "a window", (r) => r.kvPath !== undefined);
    expect(report.nics).toEqual([]);
    expect(report.kvPath?.problems).toEqual([]);
    expect(report.kvPath?.rates).not.toHaveProperty("rdmaReceive");
    expect(report.sources.filter((source) => source.target.endsWith("/rdma"))).toEqual([]);
    expect(await agent.metrics()).not.toMatch(/^fulcrum_(rdma|kv_path_problem)/m);
  });
});
