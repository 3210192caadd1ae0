import type { NicCounts } from "../../core/nic.ts";
import type { NicWindow } from "../nic/window.ts";
import { totalOf } from "../nic/network.ts";

/** What one window, or several in a row, say about the node's KV path. Bytes over the window; missing = nothing says. */
export interface KvPathEvidence {
  readonly seconds: number;
  /** KV bytes that the node's engines count as moved. */
  readonly application: number | undefined;
  readonly rdma: Both | undefined;
  readonly network: Both | undefined;
  readonly ports: readonly PortEvidence[];
}

export interface Both {
  readonly receive: number;
  readonly transmit: number;
}

/** A port that is up. */
export interface PortEvidence {
  readonly name: string;
  readonly linkBytesPerSecond: number | undefined;
  readonly counts: NicCounts;
}

/** A window of the adapters and what the engines counted in it. */
export function evidenceOf(window: NicWindow, application: number | undefined): KvPathEvidence {
  const up = window.ports.filter((port) => port.reading.up === true);
  const ports = up.map(({ reading, counts }) => ({
    name: `${reading.device}/${reading.port}`,
    linkBytesPerSecond: reading.linkBytesPerSecond,
    counts,
  }));
  const network = totalOf(window.interfaces);
  return {
    seconds: window.seconds,
    application,
    rdma: rdmaBytes(window),
    network: network && { receive: network.received, transmit: network.transmitted },
    ports,
  };
}

/**
 * What the ports carried as RDMA; undefined when none is up or one of them does not say. On InfiniBand the port counts IP over it as well, which
 * is plain network; on Ethernet and EFA the port counts RDMA only.
 */
function rdmaBytes({ ports, interfaces }: NicWindow): Both | undefined {
  const up = ports.filter((port) => port.reading.up === true);
  if (up.length === 0) return undefined;
  let [receive, transmit] = [0, 0];
  for (const { reading, counts } of up) {
    if (counts.receiveBytes === undefined || counts.transmitBytes === undefined) return undefined;
    const overIp = reading.linkLayer === "InfiniBand" ? reading.netdevs.map((name) => interfaces.get(name)) : [];
    const sum = (side: "received" | "transmitted"): number => overIp.reduce((total, each) => total + (each?.[side] ?? 0), 0);
    receive += Math.max(0, counts.receiveBytes - sum("received"));
    transmit += Math.max(0, counts.transmitBytes - sum("transmitted"));
  }
  return { receive, transmit };
}

/** Several windows as one; what one of them does not know is not known of all. */
export function joinEvidence(windows: readonly [KvPathEvidence, ...KvPathEvidence[]]): KvPathEvidence {
  return windows.reduce((a, b) => ({
    seconds: a.seconds + b.seconds,
    application: a.application === undefined || b.application === undefined ? undefined : a.application + b.application,
    rdma: addBoth(a.rdma, b.rdma),
    network: addBoth(a.network, b.network),
    ports: b.ports.map((port) => {
      const before = a.ports.find((other) => other.name === port.name);
      return { ...port, counts: before === undefined ? {} : addCounts(before.counts, port.counts) };
    }),
  }));
}

const addBoth = (a: Both | undefined, b: Both | undefined): Both | undefined =>
  a === undefined || b === undefined ? undefined : { receive: a.receive + b.receive, transmit: a.transmit + b.transmit };

function addCounts(a: NicCounts, b: NicCounts): NicCounts {
  const entries = Object.entries(b) as [keyof NicCounts, number][];
  return Object.fromEntries(
    entries.flatMap(([name, count]) => {
      const before = a[name];
      return before === undefined ? [] : [[name, before + count] as const];
    }),
  );
}
