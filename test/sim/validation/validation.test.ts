import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { decodeSeconds, prefillSeconds } from "../../../core/latency-model.ts";
import type { Profile } from "../../../core/profile.ts";
import { defaultProfile } from "../../../sim/profiles/load.ts";
import { fromComposed } from "../../../sim/validation/composed.ts";
import { validate } from "../../../sim/validation/errors.ts";
import { decodeStepSeconds, prefillPassSeconds } from "../../../sim/validation/measure.ts";
import { validationTable } from "../../../sim/validation/table.ts";
import { sharedPath } from "../../support/shared.ts";
import { MODELS } from "../plant/scenario.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const script = (...flags: string[]) =>
  spawnSync(process.execPath, ["--import", "tsx", "scripts/validate-plant.ts", ...flags], { cwd: root, encoding: "utf8" });

/** Tables that a replica with exactly the models would have given. */
function madeProfile(): Profile {
  return {
    ...defaultProfile,
    prefill: [32, 128, 512, 1024, 4096, 16_384].flatMap((tokens) =>
      [1, 4].map((batch) => ({
        tokens,
        batch,
        ms: 1000 * prefillSeconds(MODELS.prefill, batch * tokens, batch * tokens * tokens),
      })),
    ),
    decode: [1, 8, 64].flatMap((batch) =>
      [512, 4096].map((ctx) => ({ batch, ctx, ms: 1000 * decodeSeconds(MODELS.decode, batch, batch * ctx) })),
    ),
  };
}

describe("the plant brought to a measured point", () => {
  it("takes what the model says, for a whole batch of prompts in one pass and a whole batch of sequences in one step", () => {
    expect(prefillPassSeconds(MODELS, 3000, 5)).toBeCloseTo(prefillSeconds(MODELS.prefill, 15_000, 5 * 3000 * 3000), 12);
    // The sequence that came first is one token ahead of the others.
    expect(decodeStepSeconds(MODELS, 40, 2000)).toBeCloseTo(decodeSeconds(MODELS.decode, 40, 40 * 2000 + 1), 12);
    expect(decodeStepSeconds(MODELS, 1, 700)).toBeCloseTo(decodeSeconds(MODELS.decode, 1, 700), 12);
  });
});

describe("validation", () => {
  it("finds no error in tables of the very model, seen or not", () => {
    const { prefill, decode, heldOut } = validate([madeProfile()]);
    expect([prefill.points, decode.points]).toEqual([12, 6]);
    for (const { max } of [prefill, decode, heldOut.prefill, heldOut.decode]) expect(max).toBeLessThan(1e-3);
  });

  it("finds the one row that is off, its sign and its size", () => {
    const made = madeProfile();
    const off = made.prefill.map((row) => (row.tokens === 4096 && row.batch === 4 ? { ...row, ms: row.ms * 2 } : row));
    const { prefill } = validate([{ ...made, prefill: off }]);
    expect(prefill.worst).toBe("4 × 4096 tokens");
    expect(prefill.max).toBeCloseTo(0.5, 1);
    expect(prefill.median).toBeLessThan(0.01);
    expect(validationTable([{ name: "made", found: validate([{ ...made, prefill: off }]) }])).toMatch(
      /^\| made +\| prefill \| 12 .*4 × 4096 tokens/m,
    );
  });

  it("reads composed tables, one profile for each build that has memory left", () => {
    const rows = [1, 2, 3].map((n) => `g,m,2,1,${n * 100},${n * 100},${n}`).join("\n");
    const capacity = "gpu,model,tp,params,weight_gb_per_gpu,kv_bytes_per_token,kv_capacity_tokens\ng,m,1,1,1,8,0\ng,m,2,1,1,8,1000\n";
    const [only, ...others] = fromComposed(
      `gpu,model,tp,batch,isl,tokens,prefill_ms\n${rows}\n`,
      `gpu,model,tp,batch,context,kv_tokens,decode_step_ms\n${rows}\n`,
      capacity,
    );
    expect(others).toEqual([]);
    expect(only).toMatchObject({ name: "g m TP2", kvCapacityTokens: 1000, gpusPerReplica: { prefill: 2, decode: 2 } });
    expect(only?.prefill[2]).toEqual({ tokens: 300, batch: 1, ms: 3 });
    expect(only?.decode[0]).toEqual({ batch: 1, ctx: 100, ms: 1 });
  });
});

describe("npm run validate:plant", { timeout: 60_000 }, () => {
  it("prints the errors of a profile file, and says what is wrong with one", () => {
    const folder = mkdtempSync(join(tmpdir(), "validate-"));
    const file = join(folder, "mine.json");
    writeFileSync(file, JSON.stringify(madeProfile()));
    const good = script(file);
    expect([good.status, good.stderr]).toEqual([0, ""]);
    expect(good.stdout).toMatch(/mine\.json \| decode +\| 6 +\| [+−]0\.0 %/);
    writeFileSync(file, "{}");
    const bad = script(file);
    expect([bad.status, bad.stderr]).toEqual([2, expect.stringContaining("PROFILE_FIELD")]);
    rmSync(folder, { recursive: true });
  });

  it.skipIf(sharedPath("profiles/kv_capacity.csv") === undefined)(
    "finds docs/simulator.md stating the errors as they are (needs ../shared/profiles)",
    () => {
      const checked = script("--check");
      expect([checked.status, checked.stderr]).toEqual([0, ""]);
    },
  );
});
