import { describe, expect, it } from "vitest";
import { aggregate, gauge, increase, labelValues, observations, quantile, rate } from "../../dashboards/src/promql.ts";

describe("expressions from the catalog", () => {
  it("write what PromQL wants", () => {
    expect(gauge("fulcrum_leader")).toBe("fulcrum_leader");
    expect(gauge("fulcrum_ready_replicas", { role: '="prefill"', pool: '=~"$pool"' })).toBe(
      'fulcrum_ready_replicas{role="prefill",pool=~"$pool"}',
    );
    expect(rate("fulcrum_holds_total")).toBe("rate(fulcrum_holds_total[$__rate_interval])");
    expect(increase("fulcrum_holds_total", { reason: '="x"' }, "5m")).toBe('increase(fulcrum_holds_total{reason="x"}[5m])');
    expect(quantile(0.95, "fulcrum_itl_seconds", ["pool"])).toBe(
      "histogram_quantile(0.95, sum by (le, pool) (rate(fulcrum_itl_seconds_bucket[$__rate_interval])))",
    );
    expect(observations("fulcrum_itl_seconds")).toBe("rate(fulcrum_itl_seconds_count[$__rate_interval])");
    expect(aggregate<"fulcrum_link_up">("count", [], gauge("fulcrum_link_up"))).toBe("count(fulcrum_link_up)");
    expect(labelValues("fulcrum_ready_replicas", "pool", { policy: '="a"' })).toBe(
      'label_values(fulcrum_ready_replicas{policy="a"}, pool)',
    );
  });

  it("do not compile when they name what the catalog lacks", () => {
    const wrong = [
      // @ts-expect-error -- no such metric
      () => gauge("fulcrum_no_such_thing"),
      // @ts-expect-error -- the metric has no such label
      () => gauge("fulcrum_ready_replicas", { engine: '="vllm"' }),
      // @ts-expect-error -- a gauge has no rate
      () => rate("fulcrum_ready_replicas"),
      // @ts-expect-error -- a counter has no quantile
      () => quantile(0.5, "fulcrum_holds_total", []),
      // @ts-expect-error -- grouping by a label the metric lacks
      () => aggregate<"fulcrum_ready_replicas">("sum", ["engine"], ""),
    ];
    // The compiler is the judge; at run time they are plain string building.
    expect(wrong).toHaveLength(5);
  });
});
