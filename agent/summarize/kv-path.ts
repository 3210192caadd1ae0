import { afterVerdict, type Hysteresis, type HysteresisTimes, unknownSince } from "../../core/hysteresis.ts";
import { KV_PATH_PROBLEMS, type KvPathProblem, type KvPathRate } from "../../core/kv-path.ts";
import type { GpuReport, NodeReport, PoolReport } from "../../wire/messages.ts";
import type { NicWindow } from "../nic/window.ts";
import { evidenceOf, joinEvidence, type KvPathEvidence } from "./kv-path-evidence.ts";
import { verdictsOn } from "./kv-path-verdicts.ts";

/** What is remembered of the node's KV path between reports. */
export interface KvPathState {
  /** Since the last window of the adapters. */
  readonly open: Open;
  /** The newest windows, oldest first; judged together, because scrapes and windows do not end at the same instant. */
  readonly windows: readonly KvPathEvidence[];
  readonly standings: Readonly<Record<KvPathProblem, Standing>>;
  readonly shown: { readonly rates: Rates; readonly seconds: number; readonly at: number } | undefined;
}

interface Open {
  readonly seconds: number;
  readonly application: number | undefined;
  readonly gpu: Rates;
}
interface Standing {
  readonly hysteresis: Hysteresis;
  readonly text: string;
}
type Rates = Readonly<Partial<Record<KvPathRate, number>>>;

const WINDOWS = 4;
const TIMES: HysteresisTimes = { raise: 15, clear: 30, forget: 300 };
const nothing: Open = { seconds: 0, application: undefined, gpu: {} };

export const kvPathAt = (at: number): KvPathState => {
  const standing: Standing = { hysteresis: unknownSince(at), text: "" };
  return {
    ...{ open: nothing, windows: [], shown: undefined },
    standings: { "kv-transfer-fell-back-to-tcp": standing, "kv-path-congested": standing },
  };
};

/** One report's pools and GPUs, and the window of the adapters where one has closed. `at` is Unix seconds. */
export function observeKvPath(
  state: KvPathState,
  { pools, gpus, interval }: Pick<NodeReport, "pools" | "gpus" | "interval">,
  window: NicWindow | undefined,
  at: number,
): KvPathState {
  const open = extend(state.open, pools, gpus, interval);
  if (window === undefined) return { ...state, open };
  const evidence = evidenceOf(window, open.application);
  const windows = [...state.windows, evidence].slice(-WINDOWS);
  const [first = evidence, ...rest] = windows;
  const verdicts = verdictsOn(joinEvidence([first, ...rest]));
  const standing = (problem: KvPathProblem): Standing => {
    const { verdict, text } = verdicts[problem];
    const before = state.standings[problem];
    return {
      hysteresis: afterVerdict(before.hysteresis, verdict, at, TIMES),
      // While it is raised the text of the last bad look stays: what is told is what was seen.
      text: verdict === "bad" ? text : before.text,
    };
  };
  return {
    open: nothing,
    windows,
    standings: {
      "kv-transfer-fell-back-to-tcp": standing("kv-transfer-fell-back-to-tcp"),
      "kv-path-congested": standing("kv-path-congested"),
    },
    shown: { rates: ratesOf(evidence, open), seconds: evidence.seconds, at },
  };
}

/** As reported; undefined before the first window. A problem that nothing speaks for or against is not listed. */
export function kvPathReport(state: KvPathState, at: number): NodeReport["kvPath"] {
  if (state.shown === undefined) return undefined;
  const problems = KV_PATH_PROBLEMS.flatMap((problem) => {
    const { hysteresis, text } = state.standings[problem];
    const raised = hysteresis.state === "raised";
    if (hysteresis.state === "unknown") return [];
    return [{ problem, raised, since: hysteresis.since, ...(raised && text !== "" && { text: text.slice(0, 512) }) }];
  });
  const { rates, seconds, at: shownAt } = state.shown;
  return { seconds, age: Math.max(0, at - shownAt), rates, problems };
}

function extend(open: Open, pools: readonly PoolReport[], gpus: readonly GpuReport[], interval: number): Open {
  const moved = pools.map((pool) => pool.counters.kvTransferBytes).filter((bytes) => bytes !== undefined);
  const application = moved.length === 0 ? open.application : (open.application ?? 0) + moved.reduce((sum, bytes) => sum + bytes, 0);
  const gpu: Partial<Record<KvPathRate, number>> = { ...open.gpu };
  for (const [rate, field] of GPU_RATES) {
    const values = gpus.map((each) => each[field]).filter((value) => value !== undefined);
    if (values.length > 0) gpu[rate] = (gpu[rate] ?? 0) + interval * values.reduce((sum, value) => sum + value, 0);
  }
  return { seconds: open.seconds + interval, application, gpu };
}

const GPU_RATES = [
  ["pcieReceive", "pcieReceiveBytesPerSecond"],
  ["pcieTransmit", "pcieTransmitBytesPerSecond"],
  ["nvlinkReceive", "nvlinkReceiveBytesPerSecond"],
  ["nvlinkTransmit", "nvlinkTransmitBytesPerSecond"],
] as const satisfies readonly (readonly [KvPathRate, keyof GpuReport])[];

function ratesOf(evidence: KvPathEvidence, open: Open): Rates {
  const { application, rdma, network, seconds } = evidence;
  const rates: Partial<Record<KvPathRate, number>> = {};
  const put = (name: KvPathRate, bytes: number | undefined, over: number): void => {
    if (bytes !== undefined && over > 0) rates[name] = bytes / over;
  };
  put("application", application, seconds);
  put("rdmaReceive", rdma?.receive, seconds);
  put("rdmaTransmit", rdma?.transmit, seconds);
  put("networkReceive", network?.receive, seconds);
  put("networkTransmit", network?.transmit, seconds);
  for (const [name, bytes] of Object.entries(open.gpu) as [KvPathRate, number][]) put(name, bytes, open.seconds);
  return rates;
}
