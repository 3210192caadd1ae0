import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { parsePage, type Page } from "../../core/exposition/parse.ts";
import type { ResourceSpans } from "../../core/otlp/trace.ts";
import type { TargetsFile } from "../../core/targets.ts";
import { enginePage, skeleton } from "./fixture.ts";
import { openOtlpSink, type OtlpSink } from "./otlp-sink.ts";
import { startFleet, steady, until, type RunningFleet } from "./running.ts";

const REQUESTS = 120;
let fleet: RunningFleet | undefined;
let sink: OtlpSink | undefined;

afterEach(async () => {
  await fleet?.stop();
  await sink?.close();
  fleet = undefined;
  sink = undefined;
});

type Totals = ReadonlyMap<string, number>;

/** Growing series of a page: counters, and buckets, counts and sums of histograms. */
function growing({ samples, families }: Page): Totals {
  const kind = (name: string): string | undefined =>
    families.get(name)?.type ?? families.get(name.replace(/_(bucket|sum|count)$/, ""))?.type;
  return new Map(
    samples
      .filter(({ name }) => ["counter", "histogram"].includes(kind(name) ?? ""))
      .map(({ name, labels, value }) => [`${name}{${[...labels].join(";")}}`, value]),
  );
}

const total = (pages: readonly Page[], name: string, label?: string): number =>
  pages
    .flatMap((page) => page.samples)
    .filter((sample) => sample.name === name && (label === undefined || [...sample.labels.values()].includes(label)))
    .reduce((sum, sample) => sum + sample.value, 0);

const requests = (spans: readonly ResourceSpans[], name: RegExp) =>
  spans.flatMap((resource) => resource.spans).filter((span) => name.test(span.name));

describe.each(["vllm", "sglang"] as const)("a fleet of %s engines", (engine) => {
  it("serves a workload whose pages, spans and ground truth agree", async () => {
    sink = await openOtlpSink();
    const otlp = { grpc: sink.grpc, http: sink.http };
    const nodes = ["node-a", "node-b"].map((name) => ({ name, gpus: 4, otlp }));
    const started = await startFleet({
      engine,
      nodes,
      initial: { prefill: 2, decode: 2 },
      workload: { kind: "requests", requests: steady(REQUESTS, 30) },
    });
    fleet = started;

    const replicas = await started.replicas();
    const before = new Map<string, Totals>();
    // Every scrape until the end: no growing series ever falls.
    await until(
      async () => {
        for (const { pod, url } of replicas) {
          const now = growing(parsePage(await started.text(`${url}/metrics`)));
          for (const [series, value] of before.get(pod) ?? []) expect(now.get(series), `${pod} ${series}`).toBeGreaterThanOrEqual(value);
          before.set(pod, now);
        }
        return started.status();
      },
      ({ completed, inFlight }) => completed === REQUESTS && inFlight === 0,
    );

    const truth = await started.truth("?ttft=1&itl=0.1");
    expect(truth.totals).toMatchObject({ requests: REQUESTS, completed: REQUESTS, failed: 0, kvTransfers: REQUESTS });
    expect(truth.attainment).toEqual({ ttft: 1, itl: 1, both: 1 });
    expect(truth.totals.cachedTokens).toBeGreaterThan(0);

    const pageOf = async (role: string) =>
      Promise.all(replicas.filter(({ pod }) => pod.includes(role)).map(async ({ url }) => parsePage(await started.text(`${url}/metrics`))));
    // The last update is on its way for a tenth of a second.
    const finished = engine === "vllm" ? "vllm:request_success_total" : "sglang:num_requests_total";
    const decode = await until(
      () => pageOf("decode"),
      (pages) => total(pages, finished) === REQUESTS,
    );
    const prefill = await pageOf("prefill");
    for (const page of [...decode, ...prefill]) expect(page.problems).toEqual([]);
    const { promptTokens, cachedTokens, generatedTokens, kvTransferBytes } = truth.totals;
    expect(total(prefill, `${engine}:prompt_tokens_total`)).toBe(promptTokens);
    expect(total(decode, `${engine}:prompt_tokens_total`)).toBe(promptTokens);
    expect(total(decode, `${engine}:generation_tokens_total`)).toBe(generatedTokens);
    expect(total(decode, `${engine}:inter_token_latency_seconds_count`)).toBe(truth.itl.count);
    expect(total(decode, `${engine}:time_to_first_token_seconds_count`)).toBe(REQUESTS);
    if (engine === "vllm") {
      expect(total(prefill, "vllm:prompt_tokens_by_source_total", "local_cache_hit")).toBe(cachedTokens);
      expect(total(decode, "vllm:nixl_bytes_transferred_sum")).toBe(kvTransferBytes);
      const ttft = total(prefill, "vllm:e2e_request_latency_seconds_sum") + total(decode, "vllm:time_to_first_token_seconds_sum");
      expect(ttft / REQUESTS).toBeCloseTo(truth.ttft.mean ?? 0, 6);
    } else {
      expect(total(prefill, "sglang:cached_tokens_total")).toBe(cachedTokens);
      expect(total(prefill, "sglang:kv_transfer_total_mb_sum") * 2 ** 20).toBeCloseTo(kvTransferBytes, -2);
      expect(total(decode, "sglang:time_to_first_token_seconds_sum") / REQUESTS).toBeCloseTo(truth.ttft.mean ?? 0, 6);
    }

    const frontend = [parsePage(await started.text("/frontend/metrics"))];
    expect(total(frontend, "dynamo_frontend_time_to_first_token_seconds_sum") / REQUESTS).toBeCloseTo(truth.ttft.mean ?? 0, 9);
    expect(total(frontend, "dynamo_frontend_output_tokens_total")).toBe(generatedTokens);

    const { overGrpc, overHttp } = sink;
    const name = engine === "vllm" ? /^llm_request$/ : /^(prefill|decode) Req /;
    await until(
      () => Promise.resolve([requests(overGrpc, name), requests(overHttp, name)]),
      (both) => both.every((spans) => spans.length === REQUESTS),
    );
    const decodeByTrace = new Map(requests(overHttp, name).map((span) => [span.traceId, span]));
    for (const half of requests(overGrpc, name)) {
      const other = decodeByTrace.get(half.traceId);
      expect(other).toBeDefined();
      if (other === undefined) continue;
      // vLLM's proxy posts to decode when prefill has answered, SGLang's router to both at once.
      expect(other.start).toBeCloseTo(engine === "vllm" ? half.end : half.start, 2);
      expect(other.attributes.get("gen_ai.usage.prompt_tokens")).toBe(half.attributes.get("gen_ai.usage.prompt_tokens"));
    }
    expect(new Set([...overGrpc, ...overHttp].map(({ instance }) => instance))).toEqual(new Set(replicas.map(({ pod }) => pod)));
  });
});

describe("what the fleet shows", () => {
  it("targets files, GPU pages, frontend page and its own metrics", async () => {
    fleet = await startFleet({
      initial: { prefill: 2, decode: 1 },
      model: "Qwen/Qwen3-32B",
      workload: { kind: "requests", requests: steady(20, 20) },
    });
    const files = await Promise.all(
      ["node-a", "node-b"].map(
        async (node) => JSON.parse(await readFile(join(fleet?.runDir ?? "", `targets-${node}.json`), "utf8")) as TargetsFile,
      ),
    );
    const engines = files.flatMap((file) => file.engines);
    expect(engines.map(({ pod }) => pod).sort()).toEqual(["qwen3-decode-0", "qwen3-frontend-0", "qwen3-prefill-0", "qwen3-prefill-1"]);
    expect(engines.every(({ phase, namespace }) => phase === "ready" && namespace === "serving")).toBe(true);
    for (const { url } of engines) expect(parsePage(await fleet.text(url)).problems).toEqual([]);
    for (const { url } of files.flatMap((file) => file.gpus)) {
      expect(parsePage(await fleet.text(url)).samples.filter((sample) => sample.name === "DCGM_FI_PROF_DRAM_ACTIVE")).toHaveLength(4);
    }
    const withoutWorkers = (page: string) => skeleton(page).filter((line) => !line.includes("dynamo_frontend_worker_"));
    expect(withoutWorkers(await fleet.text("/frontend/metrics"))).toEqual(withoutWorkers(enginePage("dynamo-frontend-main-2026-08.txt")));
    expect(await fleet.text("/metrics")).toContain('fulcrum_fleet_replicas{pool="prefill",role="prefill",phase="ready"} 2');
    expect((await fetch(`${fleet.url}/healthz`)).status).toBe(200);
  });
});
