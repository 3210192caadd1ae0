import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { TargetsFile } from "../../../core/targets.ts";

export interface AgentChild {
  readonly ports: { readonly metrics: number; readonly otlpHttp: number; readonly otlpGrpc: number };
  readonly metrics: () => Promise<string>;
  /** undefined while it runs. */
  exit(): number | string | undefined;
  rssMiB(): number;
  /** Lines of its log that tell of a bug. */
  bugs(): readonly string[];
  stop(): Promise<number | string>;
}

const PROGRAM = fileURLToPath(new URL("../../../dist/fulcrum.mjs", import.meta.url));

/** The built agent as its own process, in a heap it cannot outgrow: what grows ends it. */
export async function spawnAgent(heapMiB: number, targets: TargetsFile, args: readonly string[]): Promise<AgentChild> {
  const directory = mkdtempSync(join(tmpdir(), "fulcrum-hostile-"));
  const path = join(directory, "targets.json");
  writeFileSync(path, JSON.stringify(targets));
  const ports = ["--port", "0", "--otlp-http-port", "0", "--otlp-grpc-port", "0"];
  const flags = [`--max-old-space-size=${heapMiB}`, "--max-semi-space-size=4"];
  const child = spawn(process.execPath, [...flags, PROGRAM, "agent", "--node", targets.node, "--targets", path, ...ports, ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let exit: number | string | undefined;
  const bugs: string[] = [];
  const ended = new Promise<number | string>((resolve) => child.once("exit", (code, signal) => resolve((exit = code ?? signal ?? "gone"))));
  const found = await new Promise<AgentChild["ports"]>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`the agent ended with ${code ?? "a signal"}`)));
    createInterface(child.stderr).on("line", (line) => {
      if (line.includes("a bug in the agent")) bugs.push(line);
      const match = /"metrics":(\d+),"otlpHttp":(\d+),"otlpGrpc":(\d+)/.exec(line);
      if (match !== null) resolve({ metrics: Number(match[1]), otlpHttp: Number(match[2]), otlpGrpc: Number(match[3]) });
    });
  });
  return {
    ports: found,
    metrics: async () => (await fetch(`http://127.0.0.1:${found.metrics}/metrics`)).text(),
    exit: () => exit,
    bugs: () => bugs,
    rssMiB: () => Number(readFileSync(`/proc/${child.pid}/statm`, "utf8").split(" ")[1]) / 256,
    async stop() {
      child.kill("SIGTERM");
      const code = await ended;
      rmSync(directory, { recursive: true, force: true });
      return code;
    },
  };
}

/** The value of one series on a page of metrics; undefined = it is not there. */
export function valueOf(page: string, series: string): number | undefined {
  const line = page.split("\n").find((l) => l.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}
