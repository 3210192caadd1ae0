import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const script = (...flags: string[]) =>
  spawnSync(process.execPath, ["--import", "tsx", "scripts/scoreboard.ts", ...flags], { cwd: root, encoding: "utf8" });

describe("npm run scoreboard -- --quick", { timeout: 120_000 }, () => {
  it("runs every controller, shows progress, and prints the same page every time", () => {
    const [first, second] = [script("--quick", "--only", "cold-start"), script("--quick", "--only", "cold-start")];
    expect([first.status, first.stdout]).toEqual([0, second.stdout]);
    expect(first.stderr.match(/^cold-start \S+: [\d.]+ % at/gm)).toHaveLength(9);
    expect(first.stdout).toContain("All traffic is generated.");
    expect(first.stdout.match(/^\| (\*\*fulcrum\*\*|static|[a-z-]+) \| [\d.]+ \|/gm)).toHaveLength(9);
  });

  it("names the scenarios there are when asked for another", () => {
    const wrong = script("--only", "doomsday");
    expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringContaining("no such scenario; there are steady-chat, diurnal-day")]);
  });
});
