import { describe, expect, it } from "vitest";
import { catalogProblems, metricsOf } from "../support/promql-catalog.ts";
import { parseExpression, withoutVariables } from "../support/promql.ts";

const none = new Set<string>();

describe("reading an expression", () => {
  it("finds every selector with its matchers and the function over its range", () => {
    const { selectors, grouping, errors } = parseExpression(
      'sum by (pool) (rate(a_total{pool=~"x",role!="y"}[5m])) / on (pool) group_left (model) max(b) > 0.5',
    );
    expect(errors).toEqual([]);
    expect(selectors).toEqual([
      {
        metric: "a_total",
        matchers: [
          { label: "pool", operator: "=~", value: "x" },
          { label: "role", operator: "!=", value: "y" },
        ],
        over: "rate",
        text: 'a_total{pool=~"x",role!="y"}',
      },
      { metric: "b", matchers: [], over: undefined, text: "b" },
    ]);
    expect(grouping).toEqual(["pool", "pool", "model"]);
  });

  it("takes strings for strings, not for metrics", () => {
    expect(parseExpression('label_replace(a, "to", "b", "from", "c")').selectors.map((s) => s.metric)).toEqual(["a"]);
  });

  it("says where the grammar breaks", () => {
    expect(parseExpression("sum(a").errors.length).toBeGreaterThan(0);
    expect(parseExpression("rate(a[5m)").errors.length).toBeGreaterThan(0);
  });

  it("puts values where Grafana's variables stand", () => {
    expect(withoutVariables('rate(a{x=~"$pool|",y=~"${policy}"}[$__rate_interval])')).toBe('rate(a{x=~".*|",y=~".*"}[1m])');
  });
});

describe("checking an expression against the catalog", () => {
  it.each([
    ["sum by (role) (rate(fulcrum_prompt_tokens_total[1m]))"],
    ['histogram_quantile(0.95, sum by (le, pool) (rate(fulcrum_ttft_seconds_bucket{role="decode"}[1m])))'],
    ["max by (instance) (fulcrum_link_up) == 0"],
  ])("accepts %s", (text) => {
    expect(catalogProblems(text, none)).toEqual([]);
  });

  it.each([
    ["fulcrum_no_such_thing", "not in the catalog"],
    ["fulcrum_ttft_seconds", "not in the catalog"],
    ["fulcrum_ready_replicas_bucket", "not in the catalog"],
    ['fulcrum_ready_replicas{engine="vllm"}', "has no label engine"],
    ["sum by (le) (fulcrum_ready_replicas)", "has the label le"],
    ["rate(fulcrum_ready_replicas[5m])", "rate() of the gauge"],
    ["max by (pool (fulcrum_ready_replicas)", "not PromQL"],
    ["vector(1)", "names no metric"],
    ['{job="x"}', "without a metric name"],
  ])("refuses %s", (text, problem) => {
    expect(catalogProblems(text, none).join("\n")).toContain(problem);
  });

  it("knows recording rules by name only", () => {
    expect(catalogProblems("fulcrum:x:y > 1", new Set(["fulcrum:x:y"]))).toEqual([]);
    expect(catalogProblems("fulcrum:x:y > 1", none)).toEqual(["fulcrum:x:y is not in the catalog"]);
  });

  it("names metrics without their histogram suffix", () => {
    expect(metricsOf("rate(fulcrum_itl_seconds_count[1m]) + fulcrum_leader")).toEqual(["fulcrum_itl_seconds", "fulcrum_leader"]);
  });
});
