import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import type { DemoSummary } from "../../cli/demo/summary.ts";
import type { FleetPools } from "../../core/fleet-control.ts";

export const BUNDLE = fileURLToPath(new URL("../../dist/fulcrum.mjs", import.meta.url));

export interface RunningDemo {
  readonly port: number;
  readonly runDir: string;
  readonly page: string;
  readonly fleet: string;
  readonly agents: readonly string[];
  /** Process id of a part as of now: "scaler", "agent-node-a", "agent-node-b", "fleet". */
  pid(part: string): Promise<number>;
  pools(): Promise<FleetPools>;
  get<T>(url: string): Promise<T>;
  text(url: string): Promise<string>;
  readonly process: ChildProcess;
  /** Ctrl-C. */
  interrupt(): void;
  readonly ended: Promise<{
    readonly code: number;
    readonly stdout: string;
    readonly stderr: string;
    readonly summary: DemoSummary | undefined;
  }>;
}

/** Starts the real demo (all processes) on a free range of ports; in a process `group` of its own, Ctrl-C reaches all of it as on a terminal. */
export async function startDemo(args: readonly string[], own: { readonly group?: boolean } = {}): Promise<RunningDemo> {
  const port = await freeRange();
  const runDir = await mkdtemp(join(tmpdir(), "fulcrum-demo-"));
  const child = spawn(process.execPath, [BUNDLE, "demo", "--json", "--port", String(port), "--run-dir", runDir, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: own.group === true,
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (d: Buffer) => (stdout += d.toString()));
  child.stderr.on("data", (d: Buffer) => (stderr += d.toString()));
  const ended = new Promise<Awaited<RunningDemo["ended"]>>((resolve) => {
    child.once("close", (code) => {
      const line = stdout.trim().split("\n").at(-1) ?? "";
      resolve({ code: code ?? -1, stdout, stderr, summary: line.startsWith("{") ? (JSON.parse(line) as DemoSummary) : undefined });
    });
  });
  const url = (p: number): string => `http://127.0.0.1:${p}`;
  const get = async <T>(u: string): Promise<T> => (await fetch(u, { signal: AbortSignal.timeout(5000) })).json() as Promise<T>;
  return {
    port,
    runDir,
    page: url(port),
    fleet: url(port + 1),
    agents: [url(port + 11), url(port + 12)],
    pid: (part) => partPid(runDir, part),
    pools: () => get<FleetPools>(`${url(port + 1)}/v1/pools`),
    get,
    text: async (u) => (await fetch(u, { signal: AbortSignal.timeout(5000) })).text(),
    process: child,
    interrupt: () => void (own.group === true && child.pid !== undefined ? process.kill(-child.pid, "SIGINT") : child.kill("SIGINT")),
    ended,
  };
}

export async function partPid(runDir: string, part: string): Promise<number> {
  const pids = JSON.parse(await readFile(join(runDir, "pids.json"), "utf8")) as Record<string, number | null>;
  const pid = pids[part];
  if (pid === null || pid === undefined) throw new Error(`${part} is not running: ${JSON.stringify(pids)}`);
  return pid;
}

/** Polls until `check` gives a value; fails with the last problem after `seconds`. */
export async function until<T>(what: string, seconds: number, check: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + seconds * 1000;
  let last: unknown;
  while (Date.now() < end) {
    try {
      const value = await check();
      if (value !== undefined) return value;
    } catch (e) {
      last = e;
    }
    await sleep(250);
  }
  throw new Error(`waited ${seconds} s for ${what}${last === undefined ? "" : `: ${String(last)}`}`);
}

const OFFSETS = [0, 1, 11, 12, 21, 22, 31, 32];

export async function freeRange(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const base = 20_000 + Math.floor(Math.random() * 400) * 100;
    const free = await Promise.all(OFFSETS.map((o) => isFree(base + o)));
    if (free.every(Boolean)) return base;
  }
  throw new Error("no free range of ports");
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const s = createServer();
    s.once("error", () => resolve(false));
    s.listen(port, "127.0.0.1", () => s.close(() => resolve(true)));
  });
