/**
 * What one port of a network adapter counts, whatever its driver calls it (agent/nic/port-files.ts has the kernel's names). Bytes are octets;
 * packets and events are counts; `transmitWait` is in the hardware's own ticks.
 */
export const NIC_COUNTERS = [
  "receiveBytes",
  "transmitBytes",
  "receivePackets",
  "transmitPackets",
  /** Ticks in which the port had data to send and could not: no credits, or a pause from the other end. */
  "transmitWait",
  "transmitDiscards",
  "receiveErrors",
  "symbolErrors",
  "linkDowns",
  "linkRecoveries",
  /** Packets that found no receive buffer. */
  "outOfBuffer",
  "outOfSequence",
  "packetSequenceErrors",
  "ackTimeouts",
  /** Requests sent again because the receiver was not ready. */
  "rnrRetries",
  "retransmits",
  /** Packets that came marked by a switch: its queue was long. */
  "ecnMarked",
  /** Congestion notifications: sent for marked packets, handled by slowing down. */
  "cnpSent",
  "cnpHandled",
] as const;
export type NicCounter = (typeof NIC_COUNTERS)[number];

/** Everything but bytes: one metric with the kind as a label. */
export type NicEvent = Exclude<NicCounter, "receiveBytes" | "transmitBytes">;

export type NicCounts = Readonly<Partial<Record<NicCounter, number>>>;

/** As a label value. */
export const nicEventLabel = (event: NicEvent): string => event.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

export const isNicEvent = (name: NicCounter): name is NicEvent => name !== "receiveBytes" && name !== "transmitBytes";
