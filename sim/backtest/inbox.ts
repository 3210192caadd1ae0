import type { PlantReplica, PlantRole } from "../plant/plant.types.ts";
import type { Report } from "./agents.ts";
import { addCounts, emptyCounts, type Counts } from "./counts.ts";
import { ROUTER } from "./nodes.ts";

/** What the reports of one control interval add up to; the rules are those of scaler/intake/interval.ts. */
export interface Collected {
  readonly counts: Counts;
  /** Seconds the counts of each source cover; missing where nobody reported. */
  readonly seconds: { readonly router?: number; readonly prefill?: number; readonly decode?: number };
}

/** A node's newest report, and how long ago it came. */
export interface Latest {
  readonly report: Report;
  readonly age: number;
}

export interface Inbox {
  add(reports: readonly Report[]): void;
  /** Closes the interval; undefined, and nothing is closed, while no report came since the last. */
  close(now: number, length: number): Collected | undefined;
  latest(now: number): readonly Latest[];
}

/** What the scaler knows from the reports that arrived. */
export function createInbox(): Inbox {
  let since = 0;
  let waiting: Report[][] = [];
  const newest: Report[] = [];
  return {
    add(reports) {
      for (const report of reports) {
        (waiting[report.node] ??= []).push(report);
        newest[report.node] = report;
      }
    },
    close(now, length) {
      const elapsed = Math.min(Math.max(now - since, 0), 3 * length);
      const used = waiting.flatMap((reports) => [fitting(reports, elapsed)]);
      if (used.every((reports) => reports.length === 0)) return undefined;
      since = now;
      waiting = [];
      return collect(used);
    },
    latest: (now) => newest.flatMap((report) => [{ report, age: now - report.receivedAt }]),
  };
}

/** The newest reports that cover the elapsed time and half as much again (reports do not end where ticks do). */
function fitting(reports: readonly Report[], elapsed: number): readonly Report[] {
  let covered = 0;
  let from = reports.length;
  while (from > 0) {
    const more = reports[from - 1]?.seconds ?? 0;
    if (from < reports.length && covered + more > elapsed * 1.5 + more * 0.5) break;
    covered += more;
    from -= 1;
  }
  return reports.slice(from);
}

function collect(nodes: readonly (readonly Report[])[]): Collected {
  const counts = emptyCounts();
  const covered: Record<"router" | PlantRole, number[]> = { router: [], prefill: [], decode: [] };
  for (const reports of nodes) {
    const seconds = reports.reduce((sum, report) => sum + report.seconds, 0);
    for (const report of reports) addCounts(counts, report.counts);
    if (reports[0]?.node === ROUTER) covered.router.push(seconds);
    for (const role of ["prefill", "decode"] as const) {
      if (reports.some(({ replicas }) => replicas.some((replica) => serves(replica, role)))) covered[role].push(seconds);
    }
  }
  return { counts, seconds: { ...mean("router", covered.router), ...mean("prefill", covered.prefill), ...mean("decode", covered.decode) } };
}

const serves = (replica: PlantReplica, role: PlantRole): boolean => replica.role === role && replica.phase !== "starting";

/** A node that joined or left midway adds its counts, but does not shorten the interval of the others. */
function mean(name: string, seconds: readonly number[]): Record<string, number> {
  const longest = Math.max(0, ...seconds);
  const whole = seconds.filter((one) => one >= longest / 2);
  return whole.length === 0 ? {} : { [name]: whole.reduce((sum, one) => sum + one, 0) / whole.length };
}
