import { readFileSync, readdirSync } from "node:fs";

/** What a process and its children have cost so far, out of /proc. */
export interface Cost {
  /** Wall clock, seconds of any origin. */
  readonly at: number;
  /** CPU seconds of the process and of its children, living and gone. */
  readonly cpu: number;
  /** Of those, the living children's. */
  readonly childCpu: number;
  /** Resident memory of the process, and what its children add that they share with nobody; MiB. */
  readonly rss: number;
  readonly childPrivate: number;
  /** Open files and sockets of the process and its children, and their threads. */
  readonly handles: number;
  readonly threads: number;
}

/** USER_HZ and the page size of every Linux that Node runs on in practice; `getconf` would say the same. */
const TICKS = 100;
const PAGE_MIB = 4096 / 1024 / 1024;

export function costOf(pid: number): Cost {
  const children = childrenOf(pid);
  const own = cpuOf(pid);
  const childCpu = children.reduce((sum, child) => sum + cpuOf(child).self, 0);
  const childPrivate = children.reduce((sum, child) => sum + pagesOf(child).private, 0);
  const all = [pid, ...children];
  return {
    ...{ at: performance.now() / 1000, cpu: own.self + own.gone + childCpu, childCpu, rss: pagesOf(pid).resident, childPrivate },
    ...{ handles: entries(all, "fd"), threads: entries(all, "task") },
  };
}

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim().split(" ").filter(Boolean).map(Number);

const entries = (pids: readonly number[], of: "fd" | "task"): number =>
  pids.reduce((sum, pid) => sum + readdirSync(`/proc/${pid}/${of}`).length, 0);

/** utime, stime, and those of children that ended: fields 14 to 17 of the line, counted from behind the command in parentheses. */
function cpuOf(pid: number): { readonly self: number; readonly gone: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15);
  return { self: (user + system) / TICKS, gone: (childUser + childSystem) / TICKS };
}

function pagesOf(pid: number): { readonly resident: number; readonly private: number } {
  const [, resident = 0, shared = 0] = readFileSync(`/proc/${pid}/statm`, "latin1").split(" ").map(Number);
  return { resident: resident * PAGE_MIB, private: (resident - shared) * PAGE_MIB };
}
