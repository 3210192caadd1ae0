import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeSeconds, prefillSeconds } from "../../../core/latency-model.ts";
import { defaultProfile, parseProfile } from "../../../sim/profiles/load.ts";
import { toPrior } from "../../../scaler/policy/profile.ts";
import { listCandidates, nameOf, type Build, type Candidate } from "../../../sim/topology/candidates.ts";
import { compareTopologies } from "../../../sim/topology/compare.ts";
import { findGoodput } from "../../../sim/topology/goodput.ts";
import { shapeLoad, traceLoad } from "../../../sim/topology/load.ts";
import { comparisonText } from "../../../sim/topology/text.ts";
import { tryCandidate } from "../../../sim/topology/trial.ts";
import { builtinTrace } from "../../../sim/traces/builtin.ts";
import { readFileSync } from "node:fs";
import { sharedPath } from "../../support/shared.ts";

const prior = toPrior(defaultProfile);
const build = (gpus: number): Build => ({ prior, gpus });
const choices = (gpus: number, sizes: readonly number[] = [1]) => ({
  prefill: sizes.map(build),
  decode: sizes.map(build),
  gpus,
  chunks: [2048],
  mixedStep: "sum" as const,
});
const gpusOf = (candidate: Candidate): number => {
  const pools = candidate.kind === "aggregated" ? [candidate.pool] : [candidate.prefill, candidate.decode];
  return pools.reduce((sum, pool) => sum + pool.replicas * pool.build.gpus, 0);
};

describe("candidates", () => {
  it("are every split of equal replicas, and aggregated serving at every chunk size", () => {
    const names = listCandidates({ ...choices(4), chunks: [512, 8192] }).map(nameOf);
    expect(names).toEqual(["4×TP1, 512 tokens/step", "4×TP1, 8192 tokens/step", "1P×TP1 + 3D×TP1", "2P×TP1 + 2D×TP1", "3P×TP1 + 1D×TP1"]);
  });

  it("never use more GPUs than there are, nor leave room for another replica unless sizes do not add up", () => {
    const sizes = fc.uniqueArray(fc.constantFrom(1, 2, 3, 4, 8), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 24 }), sizes, (gpus, list) => {
        for (const candidate of listCandidates(choices(gpus, list))) {
          expect(gpusOf(candidate)).toBeLessThanOrEqual(gpus);
          expect(gpus - gpusOf(candidate)).toBeLessThan(Math.max(...list));
          if (candidate.kind === "aggregated") expect(candidate.pool.replicas).toBeGreaterThan(0);
          else expect(Math.min(candidate.prefill.replicas, candidate.decode.replicas)).toBeGreaterThan(0);
        }
      }),
    );
  });
});

describe("goodput", () => {
  const [aggregated, , split] = listCandidates(choices(4));
  if (aggregated === undefined || split === undefined) throw new Error("candidates are missing");
  const load = shapeLoad(1000, 100, 1);

  it("is a rate at which the objectives hold, and 3 % above which they do not", () => {
    for (const candidate of [aggregated, split]) {
      const objectives = { ttft: 0.5, itl: 0.02, attain: 0.9 };
      const { requestsPerSecond, trial } = findGoodput(candidate, load, objectives, 1);
      expect(trial.attained).toBeGreaterThanOrEqual(0.9);
      expect(tryCandidate(candidate, load.at(requestsPerSecond), objectives, 1).passed).toBe(true);
      expect(tryCandidate(candidate, load.at(requestsPerSecond * 1.03), objectives, 1).passed).toBe(false);
    }
  });

  it("falls as objectives tighten, and is none where one request alone misses them", () => {
    const at = (itl: number) => findGoodput(aggregated, load, { ttft: 0.5, itl, attain: 0.9 }, 1).requestsPerSecond;
    const [loose, tight] = [at(0.03), at(0.012)];
    expect(tight).toBeLessThan(loose);
    const alone = decodeSeconds(prior.decode, 1, 1000);
    expect(findGoodput(aggregated, load, { ttft: 0.5, itl: alone * 0.99, attain: 0.9 }, 1)).toMatchObject({
      requestsPerSecond: 0,
      limitedBy: "itl",
    });
    const prompt = prefillSeconds(prior.prefill, 1000, 1_000_000);
    expect(findGoodput(split, load, { ttft: prompt, attain: 0.9 }, 1)).toMatchObject({ requestsPerSecond: 0, limitedBy: "ttft" });
  });

  it("with prompts only is what one pass at a time allows", () => {
    const pass = prefillSeconds(prior.prefill, 8000, 64_000_000);
    const { requestsPerSecond } = findGoodput(aggregated, shapeLoad(8000, 1, 1), { ttft: 20, attain: 0.9 }, 1);
    // Chunks of 2048 tokens pay their fixed part per chunk; a generous TTFT lets the queue of 300 s grow a little beyond.
    expect(requestsPerSecond * pass).toBeGreaterThan(4 * 0.85);
    expect(requestsPerSecond * pass).toBeLessThan(4 * 1.1);
  });

  it("counts a request that no replica can hold as missed", () => {
    const huge = shapeLoad(2_000_000, 10, 1);
    expect(findGoodput(aggregated, huge, { ttft: 1e6, attain: 0.9 }, 1).requestsPerSecond).toBe(0);
  });
});

describe("comparison", () => {
  it("is the same for the same seed, names the best of both kinds, and says what follows", () => {
    const question = { choices: choices(4), load: traceLoad(builtinTrace(1), 1), objectives: { ttft: 1, itl: 0.02, attain: 0.9 }, seed: 1 };
    const answer = compareTopologies(question);
    expect(JSON.stringify(compareTopologies(question))).toBe(JSON.stringify(answer));
    const { aggregated, disaggregated } = answer.best;
    expect(answer.gain).toBeCloseTo((disaggregated?.requestsPerSecond ?? 0) / (aggregated?.requestsPerSecond ?? 1), 12);
    const rates = answer.candidates.filter(({ kind }) => kind === "disaggregated").map((one) => one.requestsPerSecond);
    expect(disaggregated?.requestsPerSecond).toBe(Math.max(...rates));
    const text = comparisonText(answer);
    expect(text).toContain("90 % of requests have TTFT within 1000 ms and ITL within 20.0 ms");
    for (const { name } of answer.candidates) expect(text).toContain(name);
    expect(text.endsWith(answer.verdict)).toBe(true);
  });

  it("says that disaggregation does not pay where decode is cheap and the split cannot match the traffic", () => {
    const objectives = { ttft: 2, itl: 0.5, attain: 0.9 };
    const short = compareTopologies({ choices: choices(2), load: shapeLoad(4000, 4, 1), objectives, seed: 1 });
    expect(short.verdict).toContain("Disaggregation does not pay: 1P×TP1 + 1D×TP1 carries 0.");
  });

  it("says that only one kind meets objectives that the other cannot", () => {
    // Every mixed step outlasts this ITL; separate decode replicas stay below it.
    const objectives = { ttft: 1, itl: 0.0075, attain: 0.99 };
    const { verdict, best } = compareTopologies({ choices: choices(4), load: shapeLoad(6000, 20, 1), objectives, seed: 1 });
    expect(best.disaggregated?.requestsPerSecond).toBeGreaterThan(1);
    expect(verdict).toMatch(/^(Disaggregation pays|Only disaggregation meets)/);
  });
});

describe("published case: Llama 70B, 3000/150 tokens (needs shared profiles)", () => {
  const files = [2, 4, 8].map((tp) => sharedPath(`profiles/h100_llama-3.3-70b-fp8_vllm_tp${tp}.json`));
  it.skipIf(files.includes(undefined))(
    "disaggregation pays on one node at a moderate ITL and more at a tight one, as docs/topology.md says",
    () => {
      const builds = files.flatMap((file) => {
        const parsed = parseProfile(readFileSync(file ?? "", "utf8"), file ?? "");
        return parsed.ok ? [{ prior: toPrior(parsed.value), gpus: parsed.value.gpusPerReplica.prefill }] : [];
      });
      expect(builds.map(({ gpus }) => gpus)).toEqual([2, 4, 8]);
      const gain = (itl: number) =>
        compareTopologies({
          choices: { ...choices(8), prefill: builds, decode: builds, chunks: [512, 2048, 8192] },
          load: shapeLoad(3000, 150, 1),
          objectives: { ttft: 1, itl, attain: 0.9 },
          seed: 1,
        }).gain ?? 0;
      const [moderate, tight] = [gain(0.03), gain(0.02)];
      expect(moderate).toBeGreaterThan(1.05);
      expect(tight).toBeGreaterThan(moderate);
    },
  );
});
