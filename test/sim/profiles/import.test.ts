import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { decodeSeconds, prefillSeconds } from "../../../core/latency-model.ts";
import { fitProfile } from "../../../core/profile-fit.ts";
import type { Given, Imported } from "../../../sim/profiles/given.ts";
import { importProfile, type Source, type SourceFile } from "../../../sim/profiles/import.ts";
import { inflate, loadProfile, readSources } from "../../../sim/profiles/read.ts";

const folder = (path: string): string => fileURLToPath(new URL(`../../fixtures/profiles/${path}`, import.meta.url));
const LLAMA: Given = { model: "nvidia/Llama-3.1-8B-Instruct-FP8", gpu: "H200 SXM" };

async function files(...paths: string[]): Promise<readonly SourceFile[]> {
  const read = await readSources(paths.map(folder));
  if (!read.ok) throw new Error(read.error.join());
  return read.value;
}

const tried = (sources: readonly SourceFile[], given: Given = LLAMA, from?: Source): ReturnType<typeof importProfile> =>
  importProfile(sources, { given, inflate, ...(from === undefined ? {} : { from }) });

function imported(sources: readonly SourceFile[], given?: Given): Imported {
  const result = tried(sources, given);
  if (!result.ok) throw new Error(result.error.join("\n"));
  return result.value;
}

const text = (name: string, content: string): SourceFile => ({ name, bytes: new TextEncoder().encode(content) });

describe("results of Dynamo's profiler", () => {
  it("become tables whose models are those the sweep was made with; the mislabelled point is left out", async () => {
    const { profile, notes } = imported(await files("dynamo"));
    expect(profile).toMatchObject({
      gpu: "H200 SXM",
      gpusPerReplica: { prefill: 1, decode: 1 },
      kvBytesPerToken: 131_072,
      kvCapacityTokens: 945_029,
    });
    expect([profile.prefill.length, profile.decode.length]).toEqual([17, 16]);
    const fit = fitProfile(profile);
    expect(prefillSeconds(fit.prefill, 8236, 8236 ** 2) * 1000).toBeCloseTo(4.21e-7 * 8236 ** 2 + 0.01518 * 8236 + 16.5, 2);
    expect(decodeSeconds(fit.decode, 100, 300_000) * 1000).toBeCloseTo(4.677 + 0.03812 * 100 + 2.878e-5 * 300_000, 3);
    expect(notes.join("\n")).toContain("1 of 17 decode points left out");
    expect(notes.join("\n")).toContain("GPUs per replica: 1");
  });

  it("are the same as JSON, as the profiler's ConfigMap holds them", async () => {
    const npz = imported(await files("dynamo")).profile;
    const prefill = { prefill_isl: npz.prefill.map((row) => row.tokens), prefill_ttft: npz.prefill.map((row) => row.ms) };
    const decode = {
      x_kv_usage: npz.decode.map((row) => (row.batch * row.ctx) / 945_029),
      y_context_length: npz.decode.map((row) => row.ctx),
      z_itl: npz.decode.map((row) => row.ms),
      max_kv_tokens: 945_029,
    };
    const json = [text("prefill_raw_data.json", JSON.stringify(prefill)), text("decode_raw_data.json", JSON.stringify(decode))];
    expect(imported(json).profile).toEqual(npz);
  });

  it("say what is missing", async () => {
    const both = await files("dynamo");
    expect(tried(both.slice(0, 1))).toMatchObject({
      ok: false,
      error: [expect.stringContaining("x_kv_usage, y_context_length, z_itl, max_kv_tokens")],
    });
    expect(tried(both, {})).toMatchObject({ ok: false, error: [expect.stringContaining("--kv-bytes-per-token")] });
    expect(tried([...both, ...both])).toMatchObject({ ok: false, error: [expect.stringContaining("stands in another file too")] });
    expect(tried([...both, ...(await files("aiconfigurator"))])).toMatchObject({
      ok: false,
      error: [expect.stringContaining("PROFILE_MIXED")],
    });
    expect(imported(both, { ...LLAMA, gpus: { prefill: 2, decode: 4 }, kvBytesPerToken: 9 }).profile).toMatchObject({
      gpusPerReplica: { prefill: 2, decode: 4 },
      kvBytesPerToken: 9,
    });
  });

  it("in seconds, as another tool writes them under the same keys, are refused", async () => {
    const [prefill, decode] = [
      { prefill_isl: [512, 2048, 8192], prefill_ttft: [0.018, 0.07, 0.29] },
      { x_kv_usage: [0.1, 0.2, 0.3], y_context_length: [350, 350, 350], z_itl: [0.006, 0.008, 0.01], max_kv_tokens: 32_768 },
    ].map((columns, index) => text(`${index}.json`, JSON.stringify(columns)));
    expect(tried([prefill, decode].filter((file) => file !== undefined))).toMatchObject({
      ok: false,
      error: [expect.stringContaining("milliseconds are expected, these look like seconds")],
    });
  });

  it("with other than numbers above zero are refused, each column by name", () => {
    const columns = {
      prefill_isl: [1, 2, 3],
      prefill_ttft: [1, 0, 3],
      x_kv_usage: [5, 5, 5],
      y_context_length: [1, 2],
      z_itl: [1, 2, 3],
      max_kv_tokens: 5,
    };
    const result = tried([text("all.json", JSON.stringify(columns))]);
    const problems = result.ok ? "" : result.error.join("\n");
    expect(problems).toContain("prefill_ttft: every number must be above zero");
    expect(problems).toContain("y_context_length: 2 points, x_kv_usage has 3");
    expect(problems).toContain("x_kv_usage: must be a share");
  });
});

describe("AIConfigurator's tables", () => {
  it("of three prompt lengths become a profile of the recommended layouts", async () => {
    const { profile, notes } = imported(await files("aiconfigurator"), {});
    expect(profile).toMatchObject({
      gpu: "h200_sxm",
      model: "meta-llama/Meta-Llama-3.1-8B",
      gpusPerReplica: { prefill: 1, decode: 1 },
      // From the growth of (d)memory alone: 32 layers · 8 KV heads · 128 · 2 · 2 bytes.
      kvBytesPerToken: 131_072,
    });
    // One pass: 63.457 ms times AIConfigurator's correction of 1.1; its ttft has 1.8 times as much.
    expect(profile.prefill.find((row) => row.tokens === 3000)?.ms).toBeCloseTo(63.457 * 1.1, 2);
    expect(profile.decode).toContainEqual({ batch: 128, ctx: 3150, ms: 19.048 });
    // 141 GB at 90 % less about 18 GiB of weights and workspace.
    expect(profile.kvCapacityTokens).toBeGreaterThan(700_000);
    expect(profile.kvCapacityTokens).toBeLessThan(900_000);
    const { error } = fitProfile(profile);
    expect([error.prefill < 0.02, error.decode < 0.06]).toEqual([true, true]);
    expect(notes.join("\n")).toContain("estimates, not measurements");
  });

  it("for other GPUs per replica take those layouts, and say which there are", async () => {
    const all = await files("aiconfigurator");
    const { profile } = imported(all, { gpus: { prefill: 1, decode: 4 } });
    expect(profile.gpusPerReplica).toEqual({ prefill: 1, decode: 4 });
    expect(profile.decode.every((row) => row.ms < 14)).toBe(true);
    expect(profile.kvBytesPerToken).toBeCloseTo(131_072, -2);
    expect(tried(all, { gpus: { prefill: 8, decode: 8 } })).toMatchObject({
      ok: false,
      error: [expect.stringContaining("these have prefill on 1 and decode on 1, 2, 4")],
    });
  });

  it("take the layout that has a curve, where runs for other lengths recommend another", async () => {
    const [table] = await files("aiconfigurator/isl512");
    const [header = "", row = ""] = new TextDecoder().decode(table?.bytes).split("\n");
    const names = header.split(",");
    const other = row
      .split(",")
      .with(names.indexOf("(p)parallel"), "tp2pp1")
      .with(names.indexOf("(p)tp"), "2")
      .with(names.indexOf("tokens/s/gpu"), "99999");
    const { profile } = imported([...(await files("aiconfigurator")), text("more.csv", [header, other.join(",")].join("\n"))], {});
    expect(profile.gpusPerReplica).toEqual({ prefill: 1, decode: 1 });
    expect(profile.prefill).toHaveLength(3);
  });

  it("of one run have one prompt length: told with what to run", async () => {
    expect(tried(await files("aiconfigurator/isl3000"))).toMatchObject({
      ok: false,
      error: [expect.stringContaining("with other --isl (512, 2048, 8192)")],
    });
  });

  it("with wrong rows, without columns, or aggregated are refused with the place", async () => {
    const [table] = await files("aiconfigurator/isl512");
    const content = new TextDecoder().decode(table?.bytes);
    const lines = content.split("\n");
    const slow = (lines[1] ?? "").split(",").with((lines[0] ?? "").split(",").indexOf("tpot"), "fast");
    const wrong = [lines[0], slow.join(","), "1,2"].join("\n");
    const result = tried([text("p.csv", wrong)]);
    expect(result.ok ? [] : result.error).toEqual([
      'p.csv: PROFILE_AICONFIGURATOR line 2: tpot: "fast" is no number above zero',
      expect.stringContaining("line 3: 2 columns"),
    ]);
    expect(tried([text("p.csv", content.replace("(d)memory", "mem"))])).toMatchObject({
      ok: false,
      error: [expect.stringContaining("no column (d)memory")],
    });
    expect(tried([text("p.csv", "model,tokens/s/gpu\na,1")])).toMatchObject({
      ok: false,
      error: [expect.stringContaining("disagg/pareto.csv")],
    });
  });
});

it("given where a profile is wanted, results of other tools are named with the command that makes one of them", async () => {
  for (const path of ["dynamo/selected_prefill_interpolation/raw_data.npz", "aiconfigurator/isl512/disagg/pareto.csv"]) {
    expect(await loadProfile(folder(path))).toMatchObject({ ok: false, error: [expect.stringContaining('"fulcrum profile import"')] });
  }
});

it("a folder without results is named, with what is looked for", async () => {
  expect(await readSources([folder("numpy")])).toMatchObject({ ok: false, error: [expect.stringContaining("PROFILE_FOLDER")] });
});
