import { describe, expect, it } from "vitest";
import { parsePage } from "../../../core/exposition/parse.ts";
import type { EnginePage } from "../../../fleet/engine/engine-page.ts";
import type { EngineStart, EngineUpdate, Leg } from "../../../fleet/engine/messages.ts";
import { sglangPage } from "../../../fleet/engine/sglang-page.ts";
import { vllmPage } from "../../../fleet/engine/vllm-page.ts";
import { enginePage, skeleton } from "../fixture.ts";

// The fixtures were made for this model and cache size: with the same, every label matches.
const start = (engine: EngineStart["engine"], role: EngineStart["role"]): EngineStart => ({
  type: "start",
  engine,
  role,
  host: "127.0.0.1",
  pod: "llama-prefill-0",
  model: "Qwen/Qwen3-32B",
  kvCapacityTokens: 298_400,
  kvBytesPerToken: 131_072,
});

function open(engine: EngineStart["engine"], role: EngineStart["role"]): EnginePage {
  const context = {
    start: start(engine, role),
    pid: 1,
    startedAt: 1_795_470_057.5,
    usage: () => ({ cpuSeconds: 1.5, residentBytes: 5e7 }),
  };
  return engine === "vllm" ? vllmPage(context) : sglangPage(context);
}

const FIXTURES = [
  ["vllm", "prefill", "vllm-main-2026-08-nixl-prefill-t0.txt"],
  ["vllm", "decode", "vllm-main-2026-08-nixl-decode-t0.txt"],
  ["sglang", "prefill", "sglang-main-2026-08-prefill.txt"],
  ["sglang", "decode", "sglang-main-2026-08-decode.txt"],
] as const;

const quiet: EngineUpdate = {
  type: "update",
  gauges: { phase: "ready", running: 0, waiting: 0, waitingForKv: 0, kvTokens: 0, sending: 0 },
  passes: [],
  steps: [],
  firstTokens: [],
  transfers: [],
  transferFailures: 0,
  preemptions: 0,
  finished: [],
};

const leg: Leg = {
  requestId: "79cb9e86830c71c2cdcc69292f45e678",
  traceId: "6590efa1c873a2c85dafaea93baa2dde",
  parentSpanId: "46a1a5942c8732c8",
  room: "0x74712eca0ed90475",
  arrival: 100,
  scheduled: 100.5,
  firstToken: 100.75,
  end: 102.75,
  transferStart: 100,
  transferEnd: 100.25,
  inputTokens: 1000,
  cachedTokens: 512,
  outputTokens: 41,
};

const OF_THE_PROCESS = new Set(["model_name", "engine", "engine_type", "moe_ep_rank", "pp_rank", "tp_rank"]);

/** `name` or `name variant` → value. */
const values = (page: EnginePage): ReadonlyMap<string, number> =>
  new Map(
    parsePage(page.render()).samples.map(({ name, labels, value }) => {
      const own = [...labels].filter(([label]) => !OF_THE_PROCESS.has(label)).map(([, text]) => text);
      return [[name, ...own].join(" "), value];
    }),
  );

describe("a page against the real engine's", () => {
  it.each(FIXTURES)("%s %s: every HELP, TYPE, series name, label and bucket boundary, in the same order", (engine, role, file) => {
    expect(skeleton(open(engine, role).render())).toEqual(skeleton(enginePage(file)));
  });

  it.each(FIXTURES)("%s %s: our own parser finds nothing to complain about", (engine, role) => {
    const page = open(engine, role);
    page.apply({ ...quiet, passes: [[700, 0.0003, 1]], transfers: [[131_072_000, 0.004]], finished: [leg] });
    const { problems, samples } = parsePage(page.render());
    expect(problems).toEqual([]);
    expect(samples.length).toBeGreaterThan(400);
  });
});

describe("vLLM's habits", () => {
  it("prefill runs requests with max_tokens 1: length finishes, no gaps, cached tokens as local hits", () => {
    const page = open("vllm", "prefill");
    page.apply({ ...quiet, passes: [[488, 0.02, 1]], finished: [{ ...leg, end: 100.75, outputTokens: 1 }] });
    const seen = values(page);
    expect(seen.get("vllm:request_success_total length")).toBe(1);
    expect(seen.get("vllm:prompt_tokens_total")).toBe(1000);
    expect(seen.get("vllm:prompt_tokens_by_source_total local_cache_hit")).toBe(512);
    expect(seen.get("vllm:prompt_tokens_by_source_total local_compute")).toBe(488);
    expect(seen.get("vllm:inter_token_latency_seconds_count")).toBe(0);
    expect(seen.get("vllm:iteration_tokens_total_sum")).toBe(489);
    expect(seen.get("vllm:e2e_request_latency_seconds_sum")).toBe(0.75);
    expect(seen.get("vllm:nixl_bytes_transferred_count")).toBe(0);
  });

  it("decode counts the prompt as external, records the transfer, and shows waiting for KV as deferred", () => {
    const page = open("vllm", "decode");
    page.apply({
      ...quiet,
      gauges: { ...quiet.gauges, running: 3, waiting: 2, waitingForKv: 4, kvTokens: 149_200 },
      steps: [[10, 0.012, 3, 29]],
      firstTokens: [[0.3, 1000, 512]],
      transfers: [[131_072_000, 0.004]],
    });
    const live = values(page);
    expect(live.get("vllm:prompt_tokens_by_source_total external_kv_transfer")).toBe(1000);
    expect(live.get("vllm:generation_tokens_total")).toBe(30);
    expect(live.get("vllm:inter_token_latency_seconds_count")).toBe(29);
    expect(live.get("vllm:nixl_bytes_transferred_sum")).toBe(131_072_000);
    expect(live.get("vllm:num_requests_waiting")).toBe(6);
    expect(live.get("vllm:num_requests_waiting_by_reason deferred")).toBe(4);
    expect(live.get("vllm:kv_cache_usage_perc")).toBe(0.5);
    expect(live.get("vllm:e2e_request_latency_seconds_count")).toBe(0);
    page.apply({ ...quiet, finished: [leg] });
    const done = values(page);
    expect(done.get("vllm:request_queue_time_seconds_sum")).toBe(0.5);
    expect(done.get("vllm:request_time_per_output_token_seconds_sum")).toBe(0.05);
    expect(done.get("vllm:request_success_total stop")).toBe(1);
  });
});

describe("SGLang's habits", () => {
  it("prefill shows transfers in MiB and GiB/s, one near-zero gap per request, and no TTFT family", () => {
    const page = open("sglang", "prefill");
    page.apply({ ...quiet, passes: [[488, 0.02, 1]], transfers: [[2 ** 30, 0.5]], finished: [{ ...leg, transferEnd: 102.75 }] });
    const seen = values(page);
    expect(seen.get("sglang:kv_transfer_total_mb_sum")).toBe(1024);
    expect(seen.get("sglang:kv_transfer_speed_gb_s_sum")).toBe(2);
    expect(seen.get("sglang:kv_transfer_latency_ms_sum")).toBe(500);
    expect(seen.get("sglang:inter_token_latency_seconds_count")).toBe(1);
    expect(seen.get("sglang:forward_execution_seconds_total extend")).toBe(0.02);
    expect(seen.get("sglang:per_stage_req_latency_seconds_sum prefill_transfer_kv_cache")).toBe(2);
    expect([...seen.keys()].some((key) => key.startsWith("sglang:time_to_first_token"))).toBe(false);
  });

  it("decode: queue time leaves the transfer out, tokens count at the end, realtime tokens live", () => {
    const page = open("sglang", "decode");
    page.apply({ ...quiet, steps: [[10, 0.01, 3, 29]], firstTokens: [[0.75, 1000, 512]] });
    expect(values(page).get("sglang:generation_tokens_total true")).toBe(0);
    expect(values(page).get("sglang:realtime_tokens_total decode")).toBe(30);
    page.apply({ ...quiet, finished: [leg] });
    const seen = values(page);
    expect(seen.get("sglang:generation_tokens_total true")).toBe(41);
    expect(seen.get("sglang:queue_time_seconds_sum")).toBe(0.25);
    expect(seen.get("sglang:per_stage_req_latency_seconds_sum decode_transferred")).toBe(0.25);
    expect(seen.get("sglang:forward_execution_seconds_total decode")).toBeCloseTo(0.1, 12);
  });
});
