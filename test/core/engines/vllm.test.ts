import { describe, expect, it } from "vitest";
import { subtractBuckets } from "../../../core/distributions/delta.ts";
import { createEnginePage, type EngineSample } from "../../../core/engines/page.ts";
import { fixture } from "../fixture.ts";

const page = (side: "prefill" | "decode", t: 0 | 1): string => fixture(`engines/vllm-main-2026-08-nixl-${side}-t${t}.txt`);

/** Two reads of one target, 15.0 s apart, as a scraper makes them. */
function window(side: "prefill" | "decode"): readonly [EngineSample, EngineSample] {
  const reader = createEnginePage("vllm", side);
  return [reader.read(page(side, 0)), reader.read(page(side, 1))];
}

const grown = ([t0, t1]: readonly [EngineSample, EngineSample], name: keyof EngineSample["counters"]): number =>
  (t1.counters[name] ?? Number.NaN) - (t0.counters[name] ?? Number.NaN);

describe("a vLLM prefill/decode pair over 15 s", () => {
  const prefill = window("prefill");
  const decode = window("decode");

  it("reads without problems", () => {
    for (const sample of [...prefill, ...decode]) expect(sample).toMatchObject({ problems: [], problemCount: 0, samples: 447 });
  });

  it("moves KV at 2.935 GB/s over the link, 13.08 GB/s per handle", () => {
    expect(grown(decode, "kvTransferBytes")).toBe(1.05498017792e11 - 6.1471981568e10);
    expect(grown(decode, "kvTransferBytes") / 15 / 1e9).toBeCloseTo(2.935, 3);
    expect(grown(decode, "kvTransferBytes") / grown(decode, "kvTransferSeconds") / 1e9).toBeCloseTo(13.08, 2);
    expect(grown(prefill, "kvTransferBytes")).toBe(0);
  });

  it("moves 69 requests: two transfers each (TP=2), and as many first tokens on either side", () => {
    expect(grown(decode, "kvTransfers") / 2).toBe(69);
    for (const [t0, t1] of [prefill, decode]) {
      expect([t0.distributions.ttft?.count, t1.distributions.ttft?.count]).toEqual([105, 174]);
    }
  });

  it("has a mean ITL of 23.9 ms on decode and none on prefill", () => {
    const [t0, t1] = decode;
    if (t0.distributions.itl === undefined || t1.distributions.itl === undefined) throw new Error("no ITL on the decode page");
    const { delta, reset } = subtractBuckets(t1.distributions.itl, t0.distributions.itl);
    expect(reset).toBe(false);
    expect(delta.count).toBe(29864 - 17472);
    expect((delta.sum / delta.count) * 1000).toBeCloseTo(23.9, 1);
    expect(prefill[1].distributions).not.toHaveProperty("itl");
    expect(prefill[1].distributions).not.toHaveProperty("osl");
  });

  it("counts a prompt once in the fleet: 171 450 tokens, not twice that", () => {
    const fleet = [prefill, decode].filter(([, t1]) => t1.counters.promptTokens !== undefined).map((w) => grown(w, "promptTokens"));
    expect(fleet).toEqual([171450]);
    expect(decode[1].counters).not.toHaveProperty("cachedTokens");
    expect(prefill[1].counters).not.toHaveProperty("generatedTokens");
    expect(prefill[1].counters.cachedTokens).toBe(94944);
    expect(decode[1].counters.generatedTokens).toBe(30038);
    // NIXL brings whole prompts: nothing of them was computed here.
    expect(decode[1].counters.localPromptTokens).toBe(0);
  });

  it("takes steps from the histogram that is named like a counter", () => {
    expect(decode[1].counters).toMatchObject({ steps: 2242, stepTokens: 30038 });
    expect(prefill[1].counters).toMatchObject({ steps: 174, stepTokens: 324137 });
  });

  it("adds failed transfers and failed notifications", () => {
    expect(decode[1].counters.kvTransferFailures).toBe(3);
  });

  it("knows KV capacity from the labels of cache_config_info, and the tokens in it from the share", () => {
    expect(decode[1].gauges).toMatchObject({ running: 11, waiting: 0, waitingForKv: 0, kvCapacityTokens: 298400 });
    expect(decode[1].gauges.kvUsage).toBe(0.07496313672922252);
    expect(decode[1].gauges.kvTokens).toBeCloseTo(22369, 6);
    expect(decode[1].processStartTime).toBe(1795470058.11);
  });

  it("says nothing about what the page does not have", () => {
    expect(decode[1].counters).not.toHaveProperty("decodeBusySeconds");
    expect(decode[1].gauges).not.toHaveProperty("maxNumSeqs");
  });
});

describe("other vLLM pages", () => {
  it("of data-parallel ranks are summed, the KV share averaged", () => {
    const two = page("decode", 1)
      .split("\n")
      .flatMap((line) => (line.includes('engine="0"') ? [line, line.replace('engine="0"', 'engine="1"')] : [line]))
      .join("\n");
    const one = createEnginePage("vllm", "decode").read(page("decode", 1));
    const both = createEnginePage("vllm", "decode").read(two);
    expect(both.counters.generatedTokens).toBe(2 * 30038);
    expect(both.gauges.running).toBe(22);
    expect(both.gauges.kvUsage).toBe(one.gauges.kvUsage);
    expect(both.gauges.kvCapacityTokens).toBe(2 * 298400);
    expect(both.distributions.itl?.counts).toEqual(one.distributions.itl?.counts.map((c) => 2 * c));
  });

  it("with old names are understood, and the new name wins where both stand", () => {
    const old = [
      'vllm:gpu_cache_usage_perc{model_name="m"} 0.5',
      'vllm:gpu_prefix_cache_hits_total{model_name="m"} 7',
      'vllm:time_per_output_token_seconds_bucket{le="0.1",model_name="m"} 3',
      'vllm:time_per_output_token_seconds_bucket{le="+Inf",model_name="m"} 4',
      'vllm:time_per_output_token_seconds_count{model_name="m"} 4',
      'vllm:time_per_output_token_seconds_sum{model_name="m"} 0.3',
    ].join("\n");
    const sample = createEnginePage("vllm", "aggregated").read(old);
    expect(sample.gauges).toEqual({ kvUsage: 0.5 });
    expect(sample.counters).toEqual({ cachedTokens: 7 });
    expect(sample.distributions.itl).toEqual({ kind: "buckets", le: [0.1], counts: [3, 1], sum: 0.3, count: 4 });
    const both = createEnginePage("vllm", "aggregated").read(`${old}\nvllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25\n`);
    expect(both.gauges.kvUsage).toBe(0.25);
  });

  it("in OpenMetrics form (the Rust front end) read the same", () => {
    const text =
      '# TYPE vllm:prompt_tokens counter\nvllm:prompt_tokens_total{model_name="m",engine="0"} 12 # {trace_id="x"} 1 1.5\n# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{model_name="m",engine="0"} 3\n# EOF\n';
    expect(createEnginePage("vllm", "prefill").read(text, "openmetrics")).toMatchObject({
      counters: { promptTokens: 12 },
      gauges: { running: 3 },
      problems: [],
    });
  });

  it("with number-like labels of None fall back to blocks times block size, or to nothing", () => {
    const info = (size: string, blocks: string): string =>
      `vllm:cache_config_info{block_size="16",engine="0",kv_cache_size_tokens="${size}",num_gpu_blocks="${blocks}"} 1.0\n`;
    const read = (text: string): unknown => createEnginePage("vllm", "decode").read(text).gauges;
    expect(read(info("None", "100"))).toEqual({ kvCapacityTokens: 1600 });
    expect(read(info("None", "None"))).toEqual({});
  });
});

describe("a page with damage", () => {
  const text = page("decode", 1);

  it("never makes a counter look as if it went back", () => {
    const reader = createEnginePage("vllm", "decode");
    const ranks = (b: string): string => `vllm:generation_tokens_total{engine="0"} 100\nvllm:generation_tokens_total{engine="1"} ${b}\n`;
    expect(reader.read(ranks("50")).counters.generatedTokens).toBe(150);
    // A rank that cannot be read: the total is unknown, not 110.
    expect(reader.read(ranks("oops")).counters).not.toHaveProperty("generatedTokens");
    expect(reader.read(ranks("70")).counters.generatedTokens).toBe(170);
    // A rank that stays away has left.
    reader.read('vllm:generation_tokens_total{engine="0"} 110\n');
    expect(reader.read('vllm:generation_tokens_total{engine="0"} 120\n').counters.generatedTokens).toBe(120);
  });

  it("loses a histogram whole rather than in part, and says why", () => {
    const noBucket = text.replace(/^vllm:inter_token_latency_seconds_sum.*$/m, "");
    const sample = createEnginePage("vllm", "decode").read(noBucket);
    expect(sample.distributions).not.toHaveProperty("itl");
    expect(sample.problems).toMatchObject([{ code: "histogram", message: "vllm:inter_token_latency_seconds: no _sum" }]);
    const backwards = text.replace(/^(vllm:inter_token_latency_seconds_bucket\{.*le="0.05".*\}) .*$/m, "$1 1.0");
    expect(backwards).not.toBe(text);
    expect(createEnginePage("vllm", "decode").read(backwards).problems).toMatchObject([{ code: "histogram" }]);
  });

  it("cut off anywhere gives what was there, without throwing", () => {
    for (let n = 0; n < text.length; n += 997) {
      const sample = createEnginePage("vllm", "decode").read(text.slice(0, n));
      expect(sample.samples).toBeLessThanOrEqual(447);
    }
  });

  it("that is no page at all gives an empty sample", () => {
    expect(createEnginePage("vllm", "decode").read("<html><body>502 Bad Gateway</body></html>\n")).toMatchObject({
      counters: {},
      gauges: {},
      distributions: {},
      problemCount: 1,
    });
  });
});
