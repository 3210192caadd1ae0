import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import type { FleetStatus } from "../../core/fleet-control.ts";
import type { PageDecision, PageFrame } from "../../wire/page.ts";
import { INTERRUPTED } from "../interrupt.ts";
import { getJson, getText } from "./http.ts";
import { DemoInputError, type DemoOptions } from "./options.ts";
import { demoPorts, requireFree, type DemoPorts } from "./ports.ts";
import { NODES, prepare, type Prepared } from "./prepare.ts";
import { Screen } from "./screen.ts";
import { collect, summarize, summaryText } from "./summary.ts";
import { supervise, type Supervised } from "./supervise.ts";
import { statusLines } from "./table.ts";

/** Requests still running this long after the last arrival end the demo all the same. */
const GRACE = 120;

/**
 * The main job on the embedded default: a simulated fleet, an agent per node, a scaler, the live page.
 * Returns the exit code: 0 good, 2 wrong input, 3 a part could not run.
 */
export async function runDemo(options: DemoOptions, signal: AbortSignal): Promise<number> {
  const ports = demoPorts(options.port, NODES.length);
  const runDir = resolve(options.runDir ?? join(".run", `demo-${new Date().toISOString().replace(/[:.]/g, "-")}`));
  let prepared: Prepared;
  try {
    await requireFree(ports, options.host);
    await mkdir(runDir, { recursive: true });
    prepared = await prepare(options, ports, runDir);
  } catch (e) {
    if (!(e instanceof DemoInputError)) throw e;
    process.stderr.write(`fulcrum demo: ${e.message}\n`);
    return 2;
  }
  const notes = [...prepared.notes];
  const parts: Supervised[] = [];
  const started = Date.now();
  try {
    await startParts(prepared, { parts, notes, signal, healthy: ports.agents.map((a) => `http://${options.host}:${a.metrics}/healthz`) });
    const outcome = await watch({ options, ports, prepared, parts, notes, signal });
    const collected = await collect(ports, options.host, prepared.policy);
    if (collected === undefined && outcome === "interrupted") {
      process.stderr.write("fulcrum demo: interrupted before the scaler answered: there is nothing to sum up\n");
      return INTERRUPTED;
    }
    if (collected === undefined || outcome === "failed") {
      process.stderr.write(`fulcrum demo: a part could not run; its log is in ${runDir}\n${await logTails(runDir)}`);
      return 3;
    }
    // The scaler ends first, so that its journal is whole before it is counted.
    await stopAll(parts);
    const summary = summarize({
      collected,
      policy: prepared.policy,
      engine: options.engine,
      trace: options.trace === undefined ? "built-in workload" : basename(options.trace),
      seconds: (Date.now() - started) / 1000,
      interrupted: outcome === "interrupted",
      decisions: await countDecisions(prepared.files.journal),
      restarts: Object.fromEntries(parts.map((p) => [p.name, p.restarts()])),
      journal: prepared.files.journal,
    });
    process.stderr.write(`\n${summaryText(summary)}\n`);
    if (options.json) process.stdout.write(`${JSON.stringify(summary)}\n`);
    return 0;
  } finally {
    await stopAll(parts);
  }
}

/** The command's own bundle (or, from sources, the built one). */
function bundle(): string {
  const here = fileURLToPath(import.meta.url);
  if (here.includes("/dist/")) return join(here.slice(0, here.lastIndexOf("/dist/")), "dist", "fulcrum.mjs");
  return resolve(here, "../../../dist/fulcrum.mjs");
}

/** How long to wait for the agents before the fleet starts all the same. */
const AGENTS_UP = 20;
/** Agents run beside serving: a small young generation and one collector thread keep them small (docs/agent.md). */
const AGENT_FLAGS = ["--max-semi-space-size=4", "--single-threaded-gc", "--v8-pool-size=1"];

interface Starting {
  readonly parts: Supervised[];
  readonly notes: string[];
  readonly signal: AbortSignal;
  readonly healthy: readonly string[];
}

/** Scaler and agents first, the fleet when the agents are up: an engine that starts under their eyes is counted from zero. */
async function startParts(p: Prepared, { parts, notes, signal, healthy }: Starting): Promise<void> {
  const script = bundle();
  const start = (name: string, args: readonly string[], restart: boolean, flags: readonly string[] = []): void => {
    parts.push(
      supervise({
        name,
        args: [...flags, script, ...args],
        log: join(p.runDir, `${name}.log`),
        restart,
        onRestart: (how) => notes.push(`${name} ended (${how}); starting it again`),
      }),
    );
  };
  start("scaler", ["scaler", "--config", p.files.scaler], true);
  p.files.agents.forEach((file, i) => start(`agent-${NODES[i]}`, ["agent", "--config", file], true, AGENT_FLAGS));
  const late = Date.now() + AGENTS_UP * 1000;
  for (const url of healthy) {
    while (Date.now() < late && !signal.aborted && (await getText(url)) === undefined) await sleep(100);
  }
  start("fleet", ["fleet", "--config", p.files.fleet], false);
}

interface Watched {
  readonly options: DemoOptions;
  readonly ports: DemoPorts;
  readonly prepared: Prepared;
  readonly parts: readonly Supervised[];
  readonly notes: string[];
  readonly signal: AbortSignal;
}

/** Shows progress until the trace is served, a part fails for good, or the user stops it. */
async function watch(w: Watched): Promise<"done" | "failed" | "interrupted"> {
  const { options, ports } = w;
  const page = `http://${options.host}:${ports.page}/`;
  const screen = new Screen(process.stderr, options.json);
  let failed = false;
  for (const p of w.parts) void p.failed.then(() => (failed = true));
  await writeFile(join(w.prepared.runDir, "pids.json"), pids(w.parts));
  process.stderr.write(`Fulcrum demo: live page ${page}  (files in ${w.prepared.runDir})\n`);
  for (let tick = 0; ; tick++) {
    const [status, history, decisions] = await Promise.all([
      getJson<FleetStatus>(`http://${options.host}:${ports.fleet}/v1/status`),
      getJson<readonly PageFrame[]>(`${page}api/history?limit=1`),
      getJson<readonly PageDecision[]>(`${page}api/decisions?limit=1`),
    ]);
    screen.show(statusLines({ status, frame: history?.at(-1), last: decisions?.at(0), page, notes: w.notes }));
    if (tick % 2 === 0) await writeFile(join(w.prepared.runDir, "pids.json"), pids(w.parts));
    if (failed) return "failed";
    if (w.signal.aborted) return "interrupted";
    if (status?.done === true || (status !== undefined && status.elapsed > status.duration + GRACE)) {
      // Two more intervals, so that agents and scaler have seen the last tokens.
      await sleep(2500);
      return "done";
    }
    await sleep(1000, undefined, { signal: w.signal }).catch(() => undefined);
  }
}

/** Process ids by part: what a test (or a curious user) needs to end one of them. */
const pids = (parts: readonly Supervised[]): string =>
  `${JSON.stringify(Object.fromEntries(parts.map((p) => [p.name, p.pid() ?? null])))}\n`;

async function stopAll(parts: readonly Supervised[]): Promise<void> {
  for (const p of parts) await p.stop();
}

/** Counts decisions in the journal's lines; a torn last line is no decision. */
async function countDecisions(dir: string): Promise<{ total: number; holds: number }> {
  let total = 0;
  let holds = 0;
  for (const name of await readdir(dir).catch(() => [])) {
    if (!name.endsWith(".jsonl")) continue;
    for (const line of (await readFile(join(dir, name), "utf8")).split("\n")) {
      if (!line.startsWith('{"kind":"tick"')) continue;
      total += 1;
      if (line.includes('"hold":true')) holds += 1;
    }
  }
  return { total, holds };
}

async function logTails(runDir: string): Promise<string> {
  let out = "";
  for (const name of (await readdir(runDir)).filter((n) => n.endsWith(".log"))) {
    const lines = (await readFile(join(runDir, name), "utf8")).trimEnd().split("\n").slice(-3);
    if (lines.join("").length > 0) out += `--- ${name}\n${lines.join("\n")}\n`;
  }
  return out;
}
