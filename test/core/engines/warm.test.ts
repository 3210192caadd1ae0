import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createEnginePage, type EngineSample } from "../../../core/engines/page.ts";

const PAGE = readFileSync(new URL("../../fixtures/engines/vllm-main-2026-08-nixl-decode-t1.txt", import.meta.url), "utf8");
const cold = (text: string): EngineSample => createEnginePage("vllm", "decode").read(text);

/** What a page says does not depend on the pages that were read before it. */
describe("a reader that has read other pages before", () => {
  it("reports a histogram's problem when one of its bucket lines has just lost its model_name", () => {
    const bucket = /^(vllm:time_to_first_token_seconds_bucket\{.*)model_name="[^"]*"(.*)$/m;
    expect(PAGE).toMatch(bucket);
    const broken = PAGE.replace(bucket, "$1$2");
    const warm = createEnginePage("vllm", "decode");
    warm.read(PAGE);
    const sample = warm.read(broken);
    expect(cold(broken).problems).toEqual([
      { line: 0, column: 0, code: "histogram", message: expect.stringMatching(/^vllm:time_to_first_token_seconds: /) as string },
    ]);
    expect(sample.problems).toEqual(cold(broken).problems);
    expect(sample.distributions).not.toHaveProperty("ttft");
    expect(warm.read(broken)).toEqual(cold(broken));
  });

  it("adds label sets in the same order, so that sums are the same to the last bit", () => {
    const line = (model: string, seconds: number): string => `vllm:nixl_xfer_time_seconds_sum{engine="0",model_name="${model}"} ${seconds}`;
    const page = (...models: readonly string[]): string => `${models.map((m) => line(m, { a: 0.1, b: 0.2, c: 0.3 }[m] ?? 0)).join("\n")}\n`;
    const warm = createEnginePage("vllm", "decode");
    warm.read(page("c", "b", "a"));
    expect(warm.read(page("a", "b", "c"))).toEqual(cold(page("a", "b", "c")));
    expect(cold(page("c", "b", "a")).counters).toEqual(cold(page("a", "b", "c")).counters);
  });

  it("still reads label sets that are new after thousands of others have come and gone", () => {
    const page = (model: number): string =>
      [
        `vllm:generation_tokens_total{engine="0",model_name="m${model}"} ${model}`,
        ...['le="1.0"} 1', 'le="+Inf"} 2'].map((rest) => `vllm:time_to_first_token_seconds_bucket{model_name="m${model}",${rest}`),
        `vllm:time_to_first_token_seconds_sum{model_name="m${model}"} 3`,
        `vllm:time_to_first_token_seconds_count{model_name="m${model}"} 2\n`,
      ].join("\n");
    const warm = createEnginePage("vllm", "decode");
    for (let model = 0; model < 5000; model++) warm.read(page(model));
    expect(warm.read(page(4999))).toEqual(cold(page(4999)));
    expect(cold(page(4999)).distributions.ttft?.count).toBe(2);
  });
});
