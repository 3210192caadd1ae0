import { readFileSync } from "node:fs";

export type PodOfProcess = (pid: number) => string | undefined;

/** PIDs remembered; the oldest is forgotten first. */
const MAX_CACHED = 4096;

/** A process never changes its pod, but its PID is given to another one day: its start time, field 22 of stat, tells them apart. */
const START_TIME = 22;

/** Finds the Kubernetes pod of a process through its cgroup. Two small reads of /proc per PID the first time, one after that. */
export function createPodOfProcess(proc: string): PodOfProcess {
  const cache = new Map<number, { readonly start: string; readonly podUid: string | undefined }>();
  return (pid) => {
    const stat = read(`${proc}/${pid}/stat`);
    if (stat === undefined) return undefined;
    const start = startTime(stat);
    const known = cache.get(pid);
    if (known?.start === start) return known.podUid;
    const cgroup = read(`${proc}/${pid}/cgroup`);
    const podUid = cgroup === undefined ? undefined : podUidOf(cgroup);
    cache.delete(pid);
    cache.set(pid, { start, podUid });
    const [oldest] = cache.keys();
    if (cache.size > MAX_CACHED && oldest !== undefined) cache.delete(oldest);
    return podUid;
  };
}

/**
 * The pod UID in a /proc/PID/cgroup: `pod` and a UID, written with dashes by the cgroupfs driver (`/kubepods/burstable/pod1a2b-…/…`) and with
 * underscores by systemd's (`kubepods-burstable-pod1a2b_….slice`). Static pods have the hash of their manifest instead, 32 hex digits.
 */
export function podUidOf(cgroup: string): string | undefined {
  const match = /(?:^|[/-])pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:[./\n]|$)/m.exec(
    cgroup,
  );
  return match?.[1]?.replaceAll("_", "-");
}

/** The command's name stands in parentheses and may hold spaces and parentheses itself. */
const startTime = (stat: string): string =>
  stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    // The first field after the name is the third.
    .at(START_TIME - 3) ?? "";

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    // It has ended, or belongs to a namespace that is not ours.
    return undefined;
  }
}
