import { decodeActivity, prefillActivity, watts, type Activity } from "./gpu-activity.ts";

/** Work on a replica's GPUs: `seconds` of it up to `end` (plant seconds). */
interface Work {
  readonly start: number;
  readonly end: number;
  readonly activity: Activity;
}

/** Bytes on a path, spread over the transfer's time. */
interface Traffic {
  readonly start: number;
  readonly end: number;
  readonly bytes: number;
  readonly path: Path;
}

export type Path = "pcieTransmit" | "pcieReceive" | "nvlinkTransmit" | "nvlinkReceive";

/** Averages over the last sampling window, as the profiling fields of DCGM report them. */
export interface GpuReading extends Activity, Readonly<Record<Path, number>> {
  readonly busy: number;
  readonly watts: number;
}

export interface GpuMeter {
  prefill(replica: number, pass: { readonly end: number; readonly seconds: number; readonly tokens: number }): void;
  decode(
    replica: number,
    run: { readonly end: number; readonly seconds: number; readonly sequences: number; readonly context: number },
  ): void;
  transfer(moved: {
    readonly from: number;
    readonly to: number;
    readonly start: number;
    readonly end: number;
    readonly bytes: number;
  }): void;
  read(replica: number, now: number): GpuReading;
  forget(replica: number): void;
}

export const WINDOW_SECONDS = 1;
/** A pass is told when it ends: the window ends this long ago, so that passes of usual length are inside it. */
const LAG_SECONDS = 0.5;
const KEEP_SECONDS = WINDOW_SECONDS + LAG_SECONDS + 1;
/** Host traffic of a working engine: MiB/s each way, measured beside the tables. */
const HOST_TRANSMIT = 5.5 * 2 ** 20;
const HOST_RECEIVE = 18 * 2 ** 20;

interface Ledger {
  works: Work[];
  traffic: Traffic[];
}

/** `sameNode` decides whether a hand-off goes over NVLink or leaves through PCIe to the NIC. */
export function createGpuMeter(sameNode: (from: number, to: number) => boolean): GpuMeter {
  const ledgers = new Map<number, Ledger>();
  const ledger = (replica: number): Ledger => {
    const known = ledgers.get(replica);
    if (known !== undefined) return known;
    const fresh: Ledger = { works: [], traffic: [] };
    ledgers.set(replica, fresh);
    return fresh;
  };
  const work = (replica: number, end: number, seconds: number, activity: Activity): void =>
    void ledger(replica).works.push({ start: end - seconds, end, activity });
  return {
    prefill: (replica, { end, seconds, tokens }) => work(replica, end, seconds, prefillActivity(tokens)),
    decode: (replica, { end, seconds, sequences, context }) => work(replica, end, seconds, decodeActivity(sequences, context)),
    transfer({ from, to, start, end, bytes }) {
      const near = sameNode(from, to);
      ledger(from).traffic.push({ start, end, bytes, path: near ? "nvlinkTransmit" : "pcieTransmit" });
      ledger(to).traffic.push({ start, end, bytes, path: near ? "nvlinkReceive" : "pcieReceive" });
    },
    read: (replica, now) => read(ledger(replica), now),
    forget: (replica) => void ledgers.delete(replica),
  };
}

function read(ledger: Ledger, now: number): GpuReading {
  const recent = (one: { readonly end: number }): boolean => one.end >= now - KEEP_SECONDS;
  ledger.works = ledger.works.filter(recent);
  ledger.traffic = ledger.traffic.filter(recent);
  const until = now - LAG_SECONDS;
  const from = until - WINDOW_SECONDS;
  const share = (one: { readonly start: number; readonly end: number }): number =>
    Math.max(0, Math.min(one.end, until) - Math.max(one.start, from)) / WINDOW_SECONDS;
  const sum = { busy: 0, sm: 0, tensor: 0, dram: 0, pcieTransmit: 0, pcieReceive: 0, nvlinkTransmit: 0, nvlinkReceive: 0 };
  for (const one of ledger.works) {
    const part = share(one);
    sum.busy += part;
    sum.sm += part * one.activity.sm;
    sum.tensor += part * one.activity.tensor;
    sum.dram += part * one.activity.dram;
  }
  sum.pcieTransmit += sum.busy * HOST_TRANSMIT;
  sum.pcieReceive += sum.busy * HOST_RECEIVE;
  for (const one of ledger.traffic) {
    const seconds = Math.max(one.end - one.start, 1e-6);
    sum[one.path] += (one.bytes / seconds) * share(one);
  }
  return { ...sum, busy: Math.min(1, sum.busy), watts: watts(sum) };
}
