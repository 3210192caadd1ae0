import { describe, expect, it } from "vitest";
import type { NicWindow } from "../../../agent/nic/window.ts";
import { kvPathAt, kvPathReport, observeKvPath } from "../../../agent/summarize/kv-path.ts";
import type { NicCounts } from "../../../core/nic.ts";
import type { NodeReport } from "../../../wire/messages.ts";

const GB = 1e9;
const SECONDS = 5;

interface Look {
  /** GB/s; undefined = no engine of the node counts KV bytes. */
  readonly kv?: number;
  readonly rdma?: number;
  readonly net?: number;
  readonly up?: boolean;
  readonly linkLayer?: string;
  readonly counts?: NicCounts;
}

function window({ rdma, net, up = true, linkLayer = "Ethernet", counts }: Look): NicWindow {
  const bytes = rdma === undefined ? {} : { receiveBytes: rdma * GB * SECONDS, transmitBytes: 0 };
  const reading = { device: "mlx5_0", port: 1, linkLayer, netdevs: ["net0"], up, linkBytesPerSecond: 50 * GB, files: new Map() };
  return {
    seconds: SECONDS,
    ports: rdma === undefined && counts === undefined ? [] : [{ reading, counts: { ...bytes, ...counts }, resets: 0 }],
    interfaces: net === undefined ? new Map() : new Map([["net0", { received: net * GB * SECONDS, transmitted: 0 }]]),
  };
}

const pool = (kv: number | undefined): NodeReport["pools"][number] => ({
  ...{ namespace: "ns", pool: "decode", role: "decode", model: "m", engine: "vllm", replicas: [], distributions: {}, spans: {}, resets: 0 },
  counters: kv === undefined ? {} : { kvTransferBytes: kv * GB * SECONDS },
});

/** The report after these windows, one every five seconds. */
function after(looks: readonly Look[]) {
  let state = kvPathAt(0);
  looks.forEach((look, i) => {
    state = observeKvPath(state, { pools: [pool(look.kv)], gpus: [], interval: SECONDS }, window(look), (i + 1) * SECONDS);
  });
  const at = looks.length * SECONDS;
  const report = kvPathReport(state, at);
  const one = (problem: string) => report?.problems.find((each) => each.problem === problem);
  return { report, fell: one("kv-transfer-fell-back-to-tcp"), congested: one("kv-path-congested") };
}

const times = (n: number, look: Look): Look[] => Array.from({ length: n }, () => look);
const FELL: Look = { kv: 1.2, rdma: 0.003, net: 1.3 };
const FINE: Look = { kv: 1.2, rdma: 1.25, net: 0.01 };

describe("KV that fell back to TCP", () => {
  it("is raised when KV moves, RDMA is up and idle, and the plain network carries it; with the figures", () => {
    expect(after(times(3, FELL)).fell).toBeUndefined();
    const { fell, report } = after(times(8, FELL));
    expect(fell).toEqual({
      ...{ problem: "kv-transfer-fell-back-to-tcp", raised: true, since: 20 },
      text: "KV 1.20 GB/s, RDMA 0.00300 GB/s, plain network 1.30 GB/s",
    });
    expect(report?.rates).toMatchObject({ application: 1.2 * GB, rdmaReceive: 0.003 * GB, networkReceive: 1.3 * GB });
  });

  it("is clear while RDMA carries the KV, whatever the network does besides", () => {
    expect(after(times(8, FINE)).fell).toMatchObject({ raised: false });
    expect(after(times(8, { ...FINE, net: 4 })).fell).toMatchObject({ raised: false });
  });

  it("ends when RDMA carries the KV again for a while, not at once", () => {
    expect(after([...times(8, FELL), ...times(6, FINE)]).fell).toMatchObject({ raised: true });
    expect(after([...times(8, FELL), ...times(14, FINE)]).fell).toMatchObject({ raised: false });
  });

  it.each([
    ["no engine counts KV bytes", { rdma: 0.003, net: 1.3 }],
    ["there is no RDMA port", { kv: 1.2, net: 1.3 }],
    ["the port is down", { ...FELL, up: false }],
    ["the port shows no bytes", { kv: 1.2, net: 1.3, counts: { symbolErrors: 0 } }],
    ["no network interface is seen", { kv: 1.2, rdma: 0.003 }],
    ["the network does not carry it either: within the node, over NVLink", { kv: 1.2, rdma: 0.003, net: 0.01 }],
    ["hardly any KV moves", { kv: 0.005, rdma: 0.0001, net: 0.006 }],
  ] as const)("claims nothing when %s", (_, look) => {
    expect(after(times(20, look)).fell).toBeUndefined();
  });

  it("sees IP over InfiniBand as the plain network it is, although the port counts it", () => {
    expect(after(times(8, { kv: 1.2, rdma: 1.3, net: 1.3, linkLayer: "InfiniBand" })).fell).toMatchObject({ raised: true });
    expect(after(times(8, { kv: 1.2, rdma: 1.3, net: 1.3, linkLayer: "Ethernet" })).fell).toMatchObject({ raised: false });
  });

  it("is not raised by scrapes that come late or lumpy", () => {
    const lumpy = [0, 2.4, 0, 2.4, 0, 2.4, 0, 2.4, 0, 2.4].map((kv): Look => ({ kv, rdma: 1.2, net: 0.02 }));
    expect(after(lumpy).fell).toMatchObject({ raised: false });
  });

  it("is unknown again after minutes without KV", () => {
    expect(after([...times(8, FELL), ...times(80, { kv: 0, rdma: 0, net: 0 })]).fell).toBeUndefined();
  });
});

describe("a congested KV path", () => {
  const busy = (counts: NicCounts, rdma = 10): Look => ({ kv: 10, rdma, net: 0.01, counts });
  const packets = { receivePackets: 1e6, transmitPackets: 1e6 };

  it.each([
    ["the link is full", busy({}, 48), "96 % of the link's rate used"],
    ["switches mark packets", busy({ ...packets, ecnMarked: 8e4 }), "8.0 % of received packets marked by a switch"],
    ["packets are repeated", busy({ ...packets, packetSequenceErrors: 3000, ackTimeouts: 0 }), "0.30 % of sent packets repeated"],
    ["packets come out of sequence", busy({ ...packets, outOfSequence: 3000 }), "0.30 % of received packets out of sequence"],
    ["packets are discarded", busy({ ...packets, transmitDiscards: 3000 }), "0.30 % of sent packets discarded"],
    ["data waits to be sent", busy({ transmitWait: 25e9 }), "40 % of the time data waited to be sent"],
  ])("is raised when %s, and names the port", (_, look, text) => {
    expect(after(times(8, look)).congested).toMatchObject({ raised: true, text: `mlx5_0/1: ${text}` });
  });

  it.each([
    ["nothing is wrong", busy({ ...packets, ecnMarked: 100, outOfSequence: 0, transmitWait: 10 })],
    ["a few packets are repeated", busy({ receivePackets: 2000, transmitPackets: 2000, packetSequenceErrors: 20 })],
    ["the receiver was not ready", busy({ ...packets, rnrRetries: 1e5 })],
  ])("is clear when %s", (_, look) => {
    expect(after(times(8, look)).congested).toMatchObject({ raised: false });
  });

  it("is not claimed of traffic that is not KV", () => {
    const marked = { receivePackets: 1e6, transmitPackets: 1e6, ecnMarked: 8e4 };
    expect(after(times(8, { rdma: 10, net: 0, counts: marked })).congested).toBeUndefined();
    expect(after(times(8, { kv: 10, rdma: 0.1, net: 11, counts: marked })).congested).toBeUndefined();
  });
});
