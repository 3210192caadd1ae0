import type { KvPathProblem } from "../../core/kv-path.ts";
import type { Both, KvPathEvidence, PortEvidence } from "./kv-path-evidence.ts";

/** One look at the evidence: bad, good, or undefined where it says neither. `text` gives the figures. */
export interface Verdict {
  readonly verdict: "bad" | "good" | undefined;
  readonly text: string;
}

/** Below this, whatever else uses the links decides what they show. */
const LEAST_RATE = 10e6;
/** RDMA that moves less than this share of the KV bytes does not carry them; more than half, and it does. */
const NOT_CARRYING = 0.1;
const CARRYING = 0.5;
/** A link that is used above this share has no room for a burst. */
const FULL = 0.9;
/**
 * Share of the link's time in which data waited. A tick is the hardware's own; 4 octets is assumed, while NVIDIA names 8 for its switches and
 * other values for older ones, so the share is more often under- than overstated.
 */
const WAITING = 0.3;
const TICK_BYTES = 4;
/** Share of the received packets that a switch has marked. DCQCN marks single packets at any load; one in twenty is a standing queue. */
const MARKED = 0.05;
/** RDMA sends everything after a lost packet again: throughput falls steeply from about 0.1 % on (IRN, SIGCOMM 2018, §2). */
const LOST = 0.001;
/** Fewer events than this in the window are chance. */
const LEAST_EVENTS = 100;
/** A problem that was raised is over below this share of its threshold. */
const CALM = 0.7;

export type Verdicts = Readonly<Record<KvPathProblem, Verdict>>;

/** The verdicts on some windows together. */
export const verdictsOn = (e: KvPathEvidence): Verdicts => ({
  "kv-transfer-fell-back-to-tcp": fellBack(e),
  "kv-path-congested": congested(e),
});

/**
 * The engines moved KV, RDMA is up and did not carry it, and the plain network carried at least half as much. Transfers within the node move
 * neither counter, so without the last condition they would look the same.
 */
function fellBack(e: KvPathEvidence): Verdict {
  const { application, rdma, network, seconds } = e;
  if (application === undefined || rdma === undefined || network === undefined || !(seconds > 0)) return silent;
  if (application / seconds < LEAST_RATE) return silent;
  const text = `KV ${rate(application, seconds)}, RDMA ${rate(most(rdma), seconds)}, plain network ${rate(most(network), seconds)}`;
  if (most(rdma) >= CARRYING * application) return { verdict: "good", text };
  const bad = most(rdma) < NOT_CARRYING * application && most(network) >= CARRYING * application;
  return { verdict: bad ? "bad" : undefined, text };
}

/** RDMA carries the KV, and a port of it is full, waits, is marked by switches or loses packets. */
function congested(e: KvPathEvidence): Verdict {
  const { application, rdma, seconds } = e;
  if (application === undefined || rdma === undefined || !(seconds > 0)) return silent;
  if (application / seconds < LEAST_RATE || most(rdma) < CARRYING * application) return silent;
  const signs = e.ports.flatMap((port) => signsOf(port, seconds));
  if (signs.length === 0) return silent;
  const over = signs.filter((sign) => sign.level >= 1);
  if (over.length > 0)
    return {
      verdict: "bad",
      text: over
        .slice(0, 4)
        .map((sign) => sign.text)
        .join("; "),
    };
  return { verdict: signs.every((sign) => sign.level < CALM) ? "good" : undefined, text: "" };
}

interface Sign {
  /** Measured ÷ threshold. */
  readonly level: number;
  readonly text: string;
}

/** What a port's counters say, each against its own threshold; a counter that the port lacks gives no sign. */
function signsOf({ name, linkBytesPerSecond, counts }: PortEvidence, seconds: number): readonly Sign[] {
  const signs: Sign[] = [];
  const add = (share: number | undefined, threshold: number, what: string): void => {
    if (share !== undefined) signs.push({ level: share / threshold, text: `${name}: ${percent(share)} ${what}` });
  };
  const { receiveBytes, transmitBytes, transmitWait, receivePackets: received, transmitPackets: sent } = counts;
  const capacity = linkBytesPerSecond === undefined ? undefined : linkBytesPerSecond * seconds;
  if (capacity !== undefined && receiveBytes !== undefined && transmitBytes !== undefined) {
    add(Math.max(receiveBytes, transmitBytes) / capacity, FULL, "of the link's rate used");
    if (transmitWait !== undefined) add((transmitWait * TICK_BYTES) / capacity, WAITING, "of the time data waited to be sent");
  }
  add(shareOf([counts.ecnMarked], received), MARKED, "of received packets marked by a switch");
  add(shareOf([counts.outOfSequence], received), LOST, "of received packets out of sequence");
  // Not the retries after "receiver not ready": those are the other end's buffers, not the path.
  const repeated = [counts.packetSequenceErrors, counts.ackTimeouts, counts.retransmits];
  add(shareOf(repeated, sent), LOST, "of sent packets repeated");
  add(shareOf([counts.transmitDiscards], sent), LOST, "of sent packets discarded");
  return signs;
}

function shareOf(events: readonly (number | undefined)[], packets: number | undefined): number | undefined {
  const known = events.filter((count) => count !== undefined);
  if (known.length === 0 || packets === undefined || packets === 0) return undefined;
  const count = known.reduce((sum, each) => sum + each, 0);
  return count < LEAST_EVENTS ? 0 : count / packets;
}

const silent: Verdict = { verdict: undefined, text: "" };
const most = ({ receive, transmit }: Both): number => Math.max(receive, transmit);
const rate = (bytes: number, seconds: number): string => `${(bytes / seconds / 1e9).toPrecision(3)} GB/s`;
const percent = (share: number): string => `${(share * 100).toPrecision(2)} %`;
