import { describe, expect, it } from "vitest";
import { createEnginePage } from "../../../core/engines/page.ts";
import type { PageDrift } from "../../../core/engines/drift.ts";
import type { EngineKind, Role } from "../../../core/pool.ts";
import { fixture } from "../fixture.ts";

function drift(engine: EngineKind, role: Role, text: string): PageDrift {
  const page = createEnginePage(engine, role);
  page.read(text);
  return page.drift();
}

const missing = (d: PageDrift): readonly string[] => d.missing.map((m) => m.signal);
const old = (d: PageDrift): readonly string[] => d.old.map((o) => o.series);
const page = (name: string): string => fixture(`engines/${name}.txt`);

describe("version drift of a page", () => {
  it.each([
    ["vllm", "prefill", "vllm-main-2026-08-nixl-prefill-t1"],
    ["vllm", "decode", "vllm-main-2026-08-nixl-decode-t1"],
    ["sglang", "prefill", "sglang-main-2026-08-prefill"],
    ["sglang", "decode", "sglang-main-2026-08-decode"],
    ["trtllm", "aggregated", "trtllm-main-2026"],
    ["dynamo-frontend", "frontend", "dynamo-frontend-main-2026-08"],
    ["llm-d-epp", "frontend", "generated-llm-d-epp"],
    ["dynamo-router", "frontend", "generated-dynamo-router"],
    ["vllm", "decode", "generated-vllm-multiprocess-dp2"],
    ["vllm", "aggregated", "generated-vllm-ray"],
  ] as const)("%s %s, %s: none", (engine, role, name) => {
    expect(drift(engine, role, page(name))).toEqual({ missing: [], old: [] });
  });

  it("names what an old release lacks and what it calls otherwise", () => {
    const v0 = drift("vllm", "aggregated", page("generated-vllm-v0"));
    expect(v0.missing).toEqual([
      { signal: "cachedTokens", series: ["vllm:prompt_tokens_by_source_total"], mend: expect.stringContaining("vLLM from 0.6") },
    ]);
    expect(v0.old).toContainEqual({
      signal: "kvUsage",
      series: "vllm:gpu_cache_usage_perc",
      old: "until 0.12",
      now: "vllm:kv_cache_usage_perc",
    });
    expect(old(v0)).toEqual([
      "vllm:num_requests_swapped",
      "vllm:gpu_cache_usage_perc",
      "vllm:time_per_output_token_seconds",
      "vllm:time_in_queue_requests",
    ]);
    const renamed = drift("vllm", "aggregated", page("generated-vllm-v1-before-rename"));
    expect([missing(renamed), old(renamed)]).toEqual([
      [],
      ["vllm:gpu_prefix_cache_hits_total", "vllm:gpu_cache_usage_perc", "vllm:time_per_output_token_seconds"],
    ]);
    expect(old(drift("trtllm", "aggregated", page("generated-trtllm-no-prefix")))).toContain("num_requests_running");
  });

  it("says how to get a signal that only some configurations show", () => {
    const decode = drift("vllm", "decode", page("generated-vllm-ray"));
    const transfers = ["kvTransfers", "kvTransferBytes", "kvTransferSeconds", "kvTransferFailures", "kvTransfer"];
    expect(missing(decode)).toEqual(transfers);
    expect(decode.missing[0]?.mend).toMatch(/NixlConnector .*LMCache or Mooncake/);
    const noIterations = page("trtllm-main-2026").replace(/^trtllm_(num_requests|kv_cache)_\w+\{.*pid.*$/gm, "");
    const gauges = drift("trtllm", "aggregated", noIterations);
    expect(missing(gauges)).toEqual(["running", "waiting", "kvUsage", "kvCapacityTokens", "kvTokens"]);
    expect(gauges.missing[0]?.mend).toContain("enable_iter_perf_stats");
  });

  it("expects nothing of an engine that shows series only once it has served", () => {
    expect(drift("sglang", "decode", "")).toEqual({ missing: [], old: [] });
    expect(missing(drift("vllm", "decode", ""))).toContain("running");
    expect(missing(drift("sglang", "aggregated", "sglang:num_requests_total 1\n"))).toContain("ttft");
  });

  it("is that of the last read", () => {
    const reader = createEnginePage("vllm", "decode");
    reader.read(page("vllm-main-2026-08-nixl-decode-t0"));
    reader.read(
      page("vllm-main-2026-08-nixl-decode-t1").replace(/^vllm:kv_cache_usage_perc.*$/m, 'vllm:gpu_cache_usage_perc{engine="0"} 0.5'),
    );
    expect([missing(reader.drift()), old(reader.drift())]).toEqual([[], ["vllm:gpu_cache_usage_perc"]]);
  });
});
