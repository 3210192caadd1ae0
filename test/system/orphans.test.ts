import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import type { PageState } from "../../wire/page.ts";
import { BUNDLE, freeRange, partPid, startDemo, until } from "../support/demo.ts";

// Both once left the scaler, the agents and the engines running on their ports, for good.

it("nothing of a demo outlives it when it is killed", async () => {
  const demo = await startDemo([]);
  const pids = await partsOf(demo.runDir);
  demo.process.kill("SIGKILL");
  await until("its parts to end", 30, async () => (pids.every(gone) ? true : undefined));
});

it("a demo whose output nobody reads any more ends as if interrupted", async () => {
  const runDir = await mkdtemp(join(tmpdir(), "fulcrum-demo-"));
  const demo = `"${process.execPath}" "${BUNDLE}" demo --port ${await freeRange()} --run-dir "${runDir}" 2>&1`;
  const shell = spawn("sh", ["-c", `(${demo}; echo "exit $?" >&3) | head -1`], { stdio: ["ignore", "ignore", "ignore", "pipe"] });
  let said = "";
  shell.stdio[3]?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(shell, "close");
  const pids = await partsOf(runDir);
  await ended;
  expect(said).toMatch(/^exit (0|130)\n$/);
  await until("its parts to end", 5, async () => (pids.every(gone) ? true : undefined));
});

it.each([300, 1100])("Ctrl-C %i ms after a demo's start is not told as a failure of its parts", async (ms) => {
  const demo = await startDemo([], { group: true });
  await sleep(ms);
  demo.interrupt();
  const { code, stderr } = await demo.ended;
  // -1: the signal itself, where it came before the demo listened for it.
  expect([0, 130, -1]).toContain(code);
  expect(stderr).not.toContain("could not run");
});

it("Ctrl-C on a terminal, which reaches every part, loses nothing of what is told at the end", async () => {
  const demo = await startDemo([], { group: true });
  await until("reports of both agents", 60, async () => {
    const { agents } = await demo.get<PageState>(`${demo.page}/api/state`);
    return agents.length === 2 && agents.every((a) => a.reports > 1) ? true : undefined;
  });
  demo.interrupt();
  const { summary } = await demo.ended;
  expect(summary?.interrupted).toBe(true);
  expect(summary?.agents.map((a) => a.node)).toEqual(["node-a", "node-b"]);
  expect(summary?.reports).toBeGreaterThan(0);
});

async function partsOf(runDir: string): Promise<readonly number[]> {
  const pids = await until("the parts", 60, () =>
    Promise.all(["scaler", "agent-node-a", "agent-node-b", "fleet"].map((part) => partPid(runDir, part))),
  );
  onTestFinished(() => pids.filter((pid) => !gone(pid)).forEach((pid) => process.kill(pid, "SIGKILL")));
  return pids;
}

function gone(pid: number): boolean {
  try {
    return !process.kill(pid, 0);
  } catch {
    return true;
  }
}
