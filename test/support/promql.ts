import { parser } from "@prometheus-io/lezer-promql";
import type { SyntaxNode } from "@lezer/common";

/** One vector selector of an expression: the series it asks for. */
export interface Selector {
  /** Metric name as written, for histograms with its `_bucket`, `_sum` or `_count`; undefined when only labels select. */
  readonly metric: string | undefined;
  readonly matchers: readonly Matcher[];
  /** The function over its range, for example `rate`; undefined for an instant selector. */
  readonly over: string | undefined;
  /** The selector's own text, a valid instant query. */
  readonly text: string;
}

export interface Matcher {
  readonly label: string;
  readonly operator: string;
  readonly value: string;
}

export interface Expression {
  readonly selectors: readonly Selector[];
  /** Labels named by aggregations and vector matching: by (…), without (…), on (…), ignoring (…), group_left (…). */
  readonly grouping: readonly string[];
  /** Offsets of what the grammar does not accept; empty for a valid expression. */
  readonly errors: readonly number[];
}

/** Grafana's variables stand where PromQL wants durations and strings. */
export function withoutVariables(expression: string): string {
  return expression
    .replaceAll("$__rate_interval", "1m")
    .replaceAll("$__interval", "15s")
    .replaceAll("$__range", "1h")
    .replaceAll(/\$\{?[a-z_]+\}?/g, ".*");
}

/** Reads an expression with Prometheus's own grammar. */
export function parseExpression(text: string): Expression {
  const selectors: Selector[] = [];
  const grouping: string[] = [];
  const errors: number[] = [];
  parser.parse(text).iterate({
    enter(ref) {
      if (ref.type.isError) errors.push(ref.from);
      else if (ref.name === "VectorSelector") selectors.push(selector(ref.node, text));
      else if (ref.name === "GroupingLabels")
        grouping.push(...ref.node.getChildren("LabelName").map((label) => text.slice(label.from, label.to)));
    },
  });
  return { selectors, grouping, errors };
}

function selector(node: SyntaxNode, text: string): Selector {
  const identifier = node.getChild("Identifier");
  const matchers = node.getChild("LabelMatchers")?.getChildren("UnquotedLabelMatcher") ?? [];
  return {
    metric: identifier === null ? undefined : text.slice(identifier.from, identifier.to),
    matchers: matchers.map((matcher) => {
      const [label, operator, value] = ["LabelName", "MatchOp", "StringLiteral"].map((type) => part(matcher, type, text));
      return { label: label ?? "", operator: operator ?? "", value: (value ?? "").slice(1, -1) };
    }),
    over: overRange(node, text),
    text: text.slice(node.from, node.to),
  };
}

function overRange(node: SyntaxNode, text: string): string | undefined {
  if (node.parent?.name !== "MatrixSelector") return undefined;
  for (let up: SyntaxNode | null = node.parent; up !== null; up = up.parent)
    if (up.name === "FunctionCall") return part(up, "FunctionIdentifier", text);
  return undefined;
}

function part(node: SyntaxNode, type: string, text: string): string | undefined {
  const child = node.getChild(type);
  return child === null ? undefined : text.slice(child.from, child.to);
}
