import { describe, expect, it, onTestFinished } from "vitest";
import { createPorts, MAX_PORTS } from "../../../agent/nic/ports.ts";
import { createNicReader } from "../../../agent/nic/reader.ts";
import type { NicWindow } from "../../../agent/nic/window.ts";
import { nicWindow } from "../../../agent/nic/window.ts";
import { until } from "../support/until.ts";
import { efa, mlx5, procTree, removeDevice, setInterfaces, setPort, sysTree, type PortTree } from "./trees.ts";

/** What the ports of a tree count while it changes from one state to the next. */
async function between(before: readonly PortTree[], after: readonly PortTree[]) {
  const root = sysTree(before);
  const ports = createPorts(root);
  onTestFinished(() => ports.close());
  const first = await ports.read();
  for (const port of after) setPort(root, port);
  const second = await ports.read();
  return nicWindow({ at: 0, ports: first, interfaces: new Map() }, { at: 5, ports: second, interfaces: new Map() }).ports;
}

describe("a port's counters", () => {
  it("are octets, whether the kernel counts words of 4 (counters) or octets (hw_counters)", async () => {
    const [roce] = await between(
      [mlx5({ counters: { port_rcv_data: 1000, port_xmit_data: 7 } })],
      [
        mlx5({
          counters: { port_rcv_data: 1250, port_xmit_data: 8, port_rcv_packets: 3 },
          hw: { np_ecn_marked_roce_packets: 2, out_of_sequence: 1 },
        }),
      ],
    );
    expect(roce?.counts).toMatchObject({
      receiveBytes: 1000,
      transmitBytes: 4,
      receivePackets: 3,
      ecnMarked: 2,
      outOfSequence: 1,
      cnpSent: 0,
    });
    expect(roce?.reading).toMatchObject({
      device: "mlx5_0",
      port: 1,
      linkLayer: "Ethernet",
      netdevs: ["ens1np0"],
      up: true,
      linkBytesPerSecond: 50e9,
    });
  });

  it("of EFA are the larger of the device's total and the sum of its operations", async () => {
    const [total] = await between([efa()], [efa({ hw: { rx_bytes: 900, tx_bytes: 50 } })]);
    expect(total?.counts).toMatchObject({ receiveBytes: 900, transmitBytes: 50 });
    expect(total?.reading).toMatchObject({ netdevs: [], linkBytesPerSecond: 12.5e9 });
    const operations = { recv_bytes: 0, rdma_read_bytes: 0, rdma_write_recv_bytes: 0, retrans_pkts: 0 };
    const [sum] = await between(
      [efa({ hw: operations })],
      [efa({ hw: { rx_bytes: 10, recv_bytes: 100, rdma_read_bytes: 600, rdma_write_recv_bytes: 300, retrans_pkts: 4 } })],
    );
    expect(sum?.counts).toMatchObject({ receiveBytes: 1000, retransmits: 4 });
    expect(sum?.counts).not.toHaveProperty("ecnMarked");
  });

  it.each([
    [
      "bnxt_re",
      { rx_bytes: 0, tx_bytes: 0, to_retransmits: 0, rx_ecn_marked_pkts: 0 },
      { rx_bytes: 9, tx_bytes: 8, to_retransmits: 7, rx_ecn_marked_pkts: 6 },
      { receiveBytes: 9, transmitBytes: 8, retransmits: 7, ecnMarked: 6 },
    ],
    [
      "irdma",
      { ip4InOctets: 0, ip6InOctets: 0, ip4OutOctets: 0, RxECNMrkd: 0, cnpHandled: 0 },
      { ip4InOctets: 5, ip6InOctets: 4, ip4OutOctets: 3, RxECNMrkd: 2, cnpHandled: 1 },
      { receiveBytes: 9, transmitBytes: 3, ecnMarked: 2, cnpHandled: 1 },
    ],
  ])("of %s go by other names", async (_, before, after, counts) => {
    const [port] = await between([{ device: "rocep1", hw: before }], [{ device: "rocep1", hw: after }]);
    expect(port?.counts).toMatchObject(counts);
  });

  it("that go back or are not numbers are absent for the window, never zero or negative", async () => {
    const [port] = await between(
      [mlx5({ counters: { port_rcv_data: 4294967295, port_xmit_data: 10, symbol_error: "N/A (no PMA)" } })],
      [mlx5({ counters: { port_rcv_data: 3, port_xmit_data: 12, symbol_error: "N/A (no PMA)" } })],
    );
    expect(port?.counts).not.toHaveProperty("receiveBytes");
    expect(port?.counts).not.toHaveProperty("symbolErrors");
    expect(port?.counts.transmitBytes).toBe(8);
    expect(port?.resets).toBe(1);
  });

  it("beyond 2^53 still give their growth within a few words", async () => {
    const [port] = await between(
      [mlx5({ counters: { port_rcv_data: "18000000000000000000" } })],
      [mlx5({ counters: { port_rcv_data: "18000000001000000000" } })],
    );
    expect(port?.counts.receiveBytes).toBeGreaterThan(4e9 - 1e4);
    expect(port?.counts.receiveBytes).toBeLessThan(4e9 + 1e4);
  });

  it("of a port that is down or says nothing of its state", async () => {
    const [down, silent] = await between([mlx5({ state: "1: DOWN" }), mlx5({ device: "mlx5_1", state: "odd" })], []);
    expect(down?.reading.up).toBe(false);
    expect(silent?.reading).not.toHaveProperty("up");
  });
});

describe("the ports of a node", () => {
  it("are bounded, and those over the limit are counted", async () => {
    const ports = createPorts(sysTree(Array.from({ length: MAX_PORTS + 3 }, (_, i) => efa({ device: `rdmap${i}s31` }))));
    expect(await ports.read()).toHaveLength(MAX_PORTS);
    expect(ports.leftOut()).toBe(3);
    await ports.close();
  });

  it("come and go: an adapter found later is read, and starts at its baseline", async () => {
    const root = sysTree([mlx5()]);
    const ports = createPorts(root);
    expect(await ports.read()).toHaveLength(1);
    setPort(root, mlx5({ device: "mlx5_1" }));
    let seen = 1;
    for (let look = 0; look < 20 && seen === 1; look++) seen = (await ports.read()).length;
    expect(seen).toBe(2);
    removeDevice(root, "mlx5_0");
    for (let look = 0; look < 20 && seen === 2; look++) seen = (await ports.read()).length;
    expect(seen).toBe(1);
    await ports.close();
  });

  it("are none on a node without RDMA", async () => {
    expect(await createPorts("/nowhere").read()).toEqual([]);
  });
});

describe("the reader", () => {
  it("gives what was carried since it was last asked, ports and interfaces of the same time", async () => {
    const sys = sysTree([mlx5()]);
    const proc = procTree({ ens1np0: [0, 0] });
    const reader = createNicReader({ sysRoot: sys, procRoot: proc, now: () => 7, interval: 0.004 });
    const stop = new AbortController();
    const ended = reader.run(stop.signal);
    await until("a first look", () => reader.latest() !== undefined);
    setPort(sys, mlx5({ counters: { port_rcv_data: 25 } }));
    setInterfaces(proc, { ens1np0: [40, 2] });
    const windows: NicWindow[] = [];
    const total = (of: (window: NicWindow) => number): number => windows.reduce((sum, window) => sum + of(window), 0);
    await until("both were seen", () => {
      const taken = reader.take();
      if (taken !== undefined) windows.push(taken);
      return total((w) => w.ports[0]?.counts.receiveBytes ?? 0) === 100 && total((w) => w.interfaces.get("ens1np0")?.received ?? 0) === 40;
    });
    stop.abort();
    await ended;
    expect(reader.health()).toMatchObject({ state: "up", at: 7 });
  });

  it("is no source on a node without RDMA ports, and knows its network all the same", async () => {
    const reader = createNicReader({ sysRoot: "/nowhere", procRoot: procTree({ eth0: [1, 1] }), now: () => 0, interval: 0.004 });
    const stop = new AbortController();
    const ended = reader.run(stop.signal);
    let window: NicWindow | undefined;
    await until("a window", () => (window = reader.take()) !== undefined);
    stop.abort();
    await ended;
    expect(reader.health()).toBeUndefined();
    expect([...(window?.interfaces ?? [])]).toEqual([["eth0", { received: 0, transmitted: 0 }]]);
  });
});
