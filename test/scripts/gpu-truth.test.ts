import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { deviation, halfWidth, mean, quantile } from "../../scripts/gpu-truth/statistics.ts";
import { buildFakeDriver, gpuScript, hasCompiler } from "../agent/gpu/fake-driver.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

describe("the statistics of gpu-truth", () => {
  it("are those of the textbook", () => {
    // Student's t for 4 degrees of freedom is 2.78: 2.78 · 1.5811 ÷ √5.
    expect(mean([1, 2, 3, 4, 5])).toBe(3);
    expect(deviation([1, 2, 3, 4, 5])).toBeCloseTo(1.5811, 4);
    expect(halfWidth([1, 2, 3, 4, 5])).toBeCloseTo(1.9657, 3);
    expect(quantile([5, 1, 4, 2, 3], 0.5)).toBe(3);
    expect(quantile([5, 1, 4, 2, 3], 0.99)).toBe(5);
  });
});

describe.skipIf(!hasCompiler)("gpu-truth [needs a C compiler]", () => {
  it("prints the reader's values and what a tick costs, as JSON lines", async () => {
    const driver = await buildFakeDriver();
    driver.play(["-1 driver 580.159.04", "-1 devices 1", ...gpuScript(0, "0 field.185 1 99000")]);
    const tsx = join(root, "node_modules", ".bin", "tsx");
    const text = execFileSync(tsx, [join(root, "scripts/gpu-truth.ts"), "--seconds", "1", "--library", driver.library], {
      encoding: "utf8",
    });
    const [head, tick, ...rest] = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(head).toEqual({ kind: "driver", driver: "580.159.04", node: process.version });
    expect(tick).toMatchObject({ kind: "tick", gpus: [{ index: 0, figures: { powerWatts: 99, temperatureCelsius: 31 } }], lost: [] });
    expect(tick?.["cpuMicros"]).toBeGreaterThan(0);
    expect(rest).toEqual([]);
  });
});
