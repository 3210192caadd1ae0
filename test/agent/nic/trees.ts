import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { tempTree } from "../../support/temp-tree.ts";

/** See README.md: written from documented layouts. */
export type Counters = Readonly<Record<string, number | string>>;

export interface PortTree {
  readonly device: string;
  readonly port?: number;
  readonly state?: string;
  readonly rate?: string;
  readonly linkLayer?: string;
  /** In the port's address table (`gid_attrs`), as RoCE has it. */
  readonly ndev?: string;
  /** Below the adapter (`device/net`), as InfiniBand has it. */
  readonly net?: readonly string[];
  readonly counters?: Counters;
  readonly hw?: Counters;
}

/** ConnectX over Ethernet (RoCE): both folders. */
export const mlx5 = (more: Partial<PortTree> = {}): PortTree => ({
  device: "mlx5_0",
  rate: "400 Gb/sec (4X NDR)",
  linkLayer: "Ethernet",
  ndev: "ens1np0",
  ...more,
  counters: {
    ...{ port_rcv_data: 0, port_xmit_data: 0, port_rcv_packets: 0, port_xmit_packets: 0, port_xmit_wait: 0, port_xmit_discards: 0 },
    ...{ port_rcv_errors: 0, symbol_error: 0, link_downed: 0, link_error_recovery: 0, VL15_dropped: 0 },
    ...more.counters,
  },
  hw: {
    ...{ out_of_sequence: 0, packet_seq_err: 0, local_ack_timeout_err: 0, rnr_nak_retry_err: 0, roce_adp_retrans: 0, out_of_buffer: 0 },
    ...{ np_ecn_marked_roce_packets: 0, np_cnp_sent: 0, rp_cnp_handled: 0, lifespan: 10 },
    ...more.hw,
  },
});

/** EFA: octets in `hw_counters`, no `counters`, no network interface of its own. */
export const efa = (more: Partial<PortTree> = {}): PortTree => ({
  device: "rdmap0s31",
  rate: "100 Gb/sec (4X EDR)",
  linkLayer: "Unspecified",
  ...more,
  hw: { tx_bytes: 0, rx_bytes: 0, tx_pkts: 0, rx_pkts: 0, rx_drops: 0, ...more.hw },
});

export function sysTree(ports: readonly PortTree[]): string {
  return tempTree(Object.fromEntries(ports.flatMap((port) => Object.entries(portFiles(port)))));
}

/** The same port later. Over what is there, because a file that is emptied first could be read in between; a kernel's never is. */
export function setPort(root: string, port: PortTree): void {
  for (const [path, text] of Object.entries(portFiles(port))) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text, { flag: existsSync(join(root, path)) ? "r+" : "w" });
  }
}

export const removeDevice = (root: string, device: string): void => rmSync(join(root, "class", "infiniband", device), { recursive: true });

function portFiles({
  device,
  port = 1,
  state = "4: ACTIVE",
  rate,
  linkLayer,
  ndev,
  net = [],
  counters,
  hw,
}: PortTree): Record<string, string> {
  const adapter = `class/infiniband/${device}`;
  const folder = `${adapter}/ports/${port}`;
  const group = (name: string, values: Counters = {}): [string, string][] =>
    Object.entries(values).map(([file, value]) => [`${folder}/${name}/${file}`, `${String(value).padEnd(20)}\n`]);
  return Object.fromEntries([
    [`${folder}/state`, `${state}\n`],
    ...(rate === undefined ? [] : [[`${folder}/rate`, `${rate}\n`]]),
    ...(linkLayer === undefined ? [] : [[`${folder}/link_layer`, `${linkLayer}\n`]]),
    ...(ndev === undefined ? [] : [[`${folder}/gid_attrs/ndevs/0`, `${ndev}\n`]]),
    ...net.map((name) => [`${adapter}/device/net/${name}/ifindex`, "2\n"]),
    ...group("counters", counters),
    ...group("hw_counters", hw),
  ]);
}

/** `/proc` with process 1's network, as an agent that sees the host's processes finds it. */
export function procTree(interfaces: Readonly<Record<string, readonly [received: number, transmitted: number]>>): string {
  return tempTree({ "1/net/dev": netDev(interfaces) });
}

export function setInterfaces(root: string, interfaces: Readonly<Record<string, readonly [number, number]>>): void {
  writeFileSync(join(root, "1/net/dev"), netDev(interfaces), { flag: "r+" });
}

const netDev = (interfaces: Readonly<Record<string, readonly [number, number]>>): string =>
  [
    "Inter-|   Receive                                                |  Transmit",
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed",
    ...Object.entries(interfaces).map(
      ([name, [rx, tx]]) => `${name.padStart(6)}: ${String(rx).padStart(20)} 10 0 0 0 0 0 0 ${String(tx).padStart(20)} 10 0 0 0 0 0 0`,
    ),
    "",
  ].join("\n");
