import type { NicCounter, NicCounts } from "../../core/nic.ts";

/**
 * Where a port's counters are, below `/sys/class/infiniband/<device>/ports/<port>`, by driver. A row is a sum; where a counter has several rows
 * the largest counts, because each is the same traffic seen by another part of the driver, and a row may see only some of it.
 * `counters/port_*_data` are in words of 4 octets (InfiniBand's PortCounters); everything in `hw_counters` is in octets already.
 * Sources: Linux Documentation/ABI/stable/sysfs-class-infiniband (counters), mlx5, bnxt_re, irdma and efa in drivers/infiniband/hw (hw_counters).
 */
interface Row {
  readonly files: readonly string[];
  readonly unit?: number;
}

const pma = (file: string, unit?: number): Row => ({ files: [`counters/${file}`], ...(unit !== undefined && { unit }) });
const hw = (...files: readonly string[]): Row => ({ files: files.map((file) => `hw_counters/${file}`) });

const WORD = 4;

export const PORT_ROWS: readonly (readonly [NicCounter, ...Row[]])[] = [
  [
    "receiveBytes",
    pma("port_rcv_data", WORD),
    hw("rx_bytes"),
    // EFA, by operation: what it read, what others wrote here, what was sent here.
    hw("recv_bytes", "rdma_read_bytes", "rdma_write_recv_bytes"),
    hw("ip4InOctets", "ip6InOctets"),
  ],
  [
    "transmitBytes",
    pma("port_xmit_data", WORD),
    hw("tx_bytes"),
    hw("send_bytes", "rdma_write_bytes", "rdma_read_resp_bytes"),
    hw("ip4OutOctets", "ip6OutOctets"),
  ],
  ["receivePackets", pma("port_rcv_packets"), hw("rx_pkts"), hw("ip4InPkts", "ip6InPkts")],
  ["transmitPackets", pma("port_xmit_packets"), hw("tx_pkts"), hw("ip4OutPkts", "ip6OutPkts")],
  ["transmitWait", pma("port_xmit_wait")],
  ["transmitDiscards", pma("port_xmit_discards")],
  ["receiveErrors", pma("port_rcv_errors"), hw("rx_drops")],
  ["symbolErrors", pma("symbol_error")],
  ["linkDowns", pma("link_downed")],
  ["linkRecoveries", pma("link_error_recovery")],
  ["outOfBuffer", hw("out_of_buffer"), hw("rx_out_of_buffer")],
  ["outOfSequence", hw("out_of_sequence"), hw("oos_drop_count")],
  ["packetSequenceErrors", hw("packet_seq_err"), hw("seq_err_naks_rcvd")],
  ["ackTimeouts", hw("local_ack_timeout_err"), hw("retrans_timeout_events")],
  ["rnrRetries", hw("rnr_nak_retry_err"), hw("rnr_naks_rcvd")],
  ["retransmits", hw("roce_adp_retrans"), hw("to_retransmits"), hw("retrans_pkts"), hw("RetransSegs"), hw("tcpRetransSegs")],
  ["ecnMarked", hw("np_ecn_marked_roce_packets"), hw("rx_ecn_marked_pkts"), hw("RxECNMrkd")],
  ["cnpSent", hw("np_cnp_sent"), hw("tx_cnp_pkts"), hw("cnpSent")],
  ["cnpHandled", hw("rp_cnp_handled"), hw("rx_cnp_pkts"), hw("cnpHandled")],
];

/** Every file that a row may need, in a fixed order. */
export const PORT_FILES: readonly string[] = PORT_ROWS.flatMap(([, ...rows]) => rows.flatMap((row) => row.files));

/** How much each file grew → counts. A row without any of its files says nothing; a counter without a row is absent. */
export function countsOf(grown: ReadonlyMap<string, number>): NicCounts {
  const counts: Partial<Record<NicCounter, number>> = {};
  for (const [name, ...rows] of PORT_ROWS) {
    for (const { files, unit = 1 } of rows) {
      const parts = files.map((file) => grown.get(file)).filter((part) => part !== undefined);
      if (parts.length > 0) counts[name] = Math.max(counts[name] ?? 0, unit * parts.reduce((sum, part) => sum + part, 0));
    }
  }
  return counts;
}
