import { readFile } from "node:fs/promises";

export interface NetworkBytes {
  readonly received: number;
  readonly transmitted: number;
}

/**
 * Interfaces whose traffic is another interface's, counted again: loopback, container pairs, bridges, tunnels, bonds
 * (their members are counted) and VLANs (name.id).
 */
const DERIVED = /^(?:lo$|veth|docker|br-|virbr|cni|cali|flannel|cilium|lxc|tun|tap|wg|ipvlan|kube|nodelocaldns|bond|dummy|ifb|vxlan)|\./;

/**
 * Sums of the node's own interfaces from the text of /proc/net/dev; undefined when none is listed. Read directly because
 * systeminformation shells out for it and answers zeros, not an error, where there is no shell. RDMA bypasses these counters.
 */
export function parseNetDev(text: string): NetworkBytes | undefined {
  let found = false;
  let received = 0;
  let transmitted = 0;
  for (const line of text.split("\n")) {
    const match = /^\s*([^\s:]+):\s*(.+)$/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined || DERIVED.test(match[1])) continue;
    const columns = match[2].trim().split(/\s+/).map(Number);
    const [rx, tx] = [columns[0], columns[8]];
    if (rx === undefined || tx === undefined || !Number.isFinite(rx) || !Number.isFinite(tx)) continue;
    found = true;
    received += rx;
    transmitted += tx;
  }
  return found ? { received, transmitted } : undefined;
}

export async function readNetDev(): Promise<NetworkBytes | undefined> {
  try {
    return parseNetDev(await readFile("/proc/net/dev", "utf8"));
  } catch {
    return undefined;
  }
}

/** Bytes per second between two readings; undefined when a counter went back (an interface was replaced). */
export function networkRate(before: NetworkBytes, now: NetworkBytes, seconds: number): { receive: number; transmit: number } | undefined {
  if (seconds <= 0 || now.received < before.received || now.transmitted < before.transmitted) return undefined;
  return { receive: (now.received - before.received) / seconds, transmit: (now.transmitted - before.transmitted) / seconds };
}
