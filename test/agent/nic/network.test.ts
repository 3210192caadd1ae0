import { describe, expect, it } from "vitest";
import { grownInterfaces, parseNetDev, totalOf } from "../../../agent/nic/network.ts";
import { readInterfaces } from "../../../agent/nic/read-interfaces.ts";
import { tempTree } from "../../support/temp-tree.ts";

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
    expect([...parseNetDev(NET_DEV).keys()]).toEqual(["eth0", "eth1"]);
    expect(totalOf(parseNetDev(NET_DEV))).toEqual({ received: 3000, transmitted: 1200 });
  });
  it("is unknown, not zero, without an interface or with another layout", () => {
    expect(totalOf(parseNetDev(""))).toBeUndefined();
    expect(totalOf(parseNetDev("    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0"))).toBeUndefined();
    expect(totalOf(parseNetDev("eth0: x y z"))).toBeUndefined();
  });
  it("leaves an interface out that is new or went back: it was replaced", () => {
    const before = new Map([
      ["eth0", { received: 10, transmitted: 10 }],
      ["eth1", { received: 10, transmitted: 10 }],
    ]);
    const now = new Map([
      ["eth0", { received: 30, transmitted: 20 }],
      ["eth1", { received: 5, transmitted: 20 }],
      ["eth2", { received: 7, transmitted: 7 }],
    ]);
    expect([...grownInterfaces(before, now)]).toEqual([["eth0", { received: 20, transmitted: 10 }]]);
  });
  it("is the host's where the agent sees the host's processes, else its own", async () => {
    const own = "eth0: 5 1 0 0 0 0 0 0 6 1 0 0 0 0 0 0\n";
    expect([...(await readInterfaces(tempTree({ "1/net/dev": NET_DEV, "net/dev": own }))).keys()]).toEqual(["eth0", "eth1"]);
    expect(totalOf(await readInterfaces(tempTree({ "net/dev": own })))).toEqual({ received: 5, transmitted: 6 });
    expect(await readInterfaces("/nowhere")).toEqual(new Map());
  });
});
