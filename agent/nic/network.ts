export interface NetworkBytes {
  readonly received: number;
  readonly transmitted: number;
}

/** Bytes since boot by network interface. */
export type Interfaces = ReadonlyMap<string, NetworkBytes>;

/**
 * Interfaces whose traffic is another interface's, counted again: loopback, container pairs, bridges, tunnels, bonds
 * (their members are counted) and VLANs (name.id).
 */
const DERIVED = /^(?:lo$|veth|docker|br-|virbr|cni|cali|flannel|cilium|lxc|tun|tap|wg|ipvlan|kube|nodelocaldns|bond|dummy|ifb|vxlan)|\./;
/** A node has tens of its own; pods' are left out before this counts. */
const MAX_INTERFACES = 256;

/** The node's own interfaces from the text of /proc/net/dev. RDMA bypasses these counters. */
export function parseNetDev(text: string): Interfaces {
  const interfaces = new Map<string, NetworkBytes>();
  for (const line of text.split("\n")) {
    const match = /^\s*([^\s:]+):\s*(.+)$/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined || DERIVED.test(match[1])) continue;
    const columns = match[2].trim().split(/\s+/).map(Number);
    const [received, transmitted] = [columns[0], columns[8]];
    if (received === undefined || transmitted === undefined || !Number.isFinite(received) || !Number.isFinite(transmitted)) continue;
    if (interfaces.size < MAX_INTERFACES) interfaces.set(match[1], { received, transmitted });
  }
  return interfaces;
}

/** What grew between two looks, by interface; one that is new or went back (it was replaced) is left out. */
export function grownInterfaces(before: Interfaces, now: Interfaces): Interfaces {
  const grown = new Map<string, NetworkBytes>();
  for (const [name, { received, transmitted }] of now) {
    const last = before.get(name);
    if (last === undefined || received < last.received || transmitted < last.transmitted) continue;
    grown.set(name, { received: received - last.received, transmitted: transmitted - last.transmitted });
  }
  return grown;
}

/** All interfaces together; undefined when there is none. */
export function totalOf(interfaces: Interfaces): NetworkBytes | undefined {
  if (interfaces.size === 0) return undefined;
  let [received, transmitted] = [0, 0];
  for (const each of interfaces.values()) {
    received += each.received;
    transmitted += each.transmitted;
  }
  return { received, transmitted };
}
