import { describe, expect, it } from "vitest";
import { networkRate, parseNetDev } from "../../agent/host-network.ts";
import { createHostReader } from "../../agent/host.ts";
import { until } from "./support/until.ts";

// Linux's own layout of /proc/net/dev, with a pod network's interfaces.
const NET_DEV = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 9000000   1000    0    0    0     0          0         0 9000000    1000    0    0    0     0       0          0
  eth0: 1000      10      0    0    0     0          0         0 500        5       0    0    0     0       0          0
  eth1:2000       20      0    0    0     0          0         0 700        7       0    0    0     0       0          0
eth1.10: 400       4      0    0    0     0          0         0 100        1       0    0    0     0       0          0
 bond0: 3000      30      0    0    0     0          0         0 1200      12       0    0    0     0       0          0
veth12ab: 77       1      0    0    0     0          0         0 77         1       0    0    0     0       0          0
`;

describe("the node's network", () => {
  it("adds the node's own interfaces, each byte once", () => {
    expect(parseNetDev(NET_DEV)).toEqual({ received: 3000, transmitted: 1200 });
  });
  it("is unknown, not zero, without an interface or with another layout", () => {
    expect(parseNetDev("")).toBeUndefined();
    expect(parseNetDev("    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0")).toBeUndefined();
    expect(parseNetDev("eth0: x y z")).toBeUndefined();
  });
  it("has no rate over a counter that went back", () => {
    expect(networkRate({ received: 10, transmitted: 10 }, { received: 30, transmitted: 20 }, 2)).toEqual({ receive: 10, transmit: 5 });
    expect(networkRate({ received: 10, transmitted: 10 }, { received: 5, transmitted: 20 }, 2)).toBeUndefined();
    expect(networkRate({ received: 10, transmitted: 10 }, { received: 15, transmitted: 20 }, 0)).toBeUndefined();
  });
});

describe("the host reader", () => {
  it("reads this machine", async () => {
    const stop = new AbortController();
    const reader = createHostReader(() => 5);
    expect(reader.health()).toEqual({ state: "unknown" });
    const ended = reader.run(stop.signal);
    await until("a reading", () => reader.health().state !== "unknown");
    stop.abort();
    await ended;
    const { memoryUsedBytes = 0, memoryTotalBytes = 0, load1, cores } = reader.latest();
    expect(memoryUsedBytes).toBeGreaterThan(0);
    expect(memoryTotalBytes).toBeGreaterThan(memoryUsedBytes);
    expect(load1).toBeGreaterThanOrEqual(0);
    expect(cores).toBeGreaterThan(0);
  });
});
