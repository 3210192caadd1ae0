import type { Dialect, DistributionRule, LabelGaugeRule, ScalarRule, Term } from "./dialect.ts";

/**
 * The same tables with every other spelling of the prefix appended as further alternatives: Ray turns `vllm:x` into `ray_vllm_x`, TensorRT-LLM
 * had no prefix, then `trtllm:`, then `trtllm_`. Two spellings are two alternatives, never a sum, so a page that has both counts once.
 */
export function respelled(dialect: Dialect): Dialect {
  const { spellings } = dialect;
  if (spellings === undefined) return dialect;
  const { prefix, others } = spellings;
  const own = ({ series }: Term): boolean => series.startsWith(prefix);
  const respell = (term: Term, other: string): Term =>
    own(term)
      ? { ...term, series: `${other}${term.series.slice(prefix.length)}`, ...(spellings.old === undefined ? {} : { old: spellings.old }) }
      : term;
  const terms = (from: readonly Term[]): readonly Term[] => [
    ...from,
    ...others.flatMap((other) => from.filter(own).map((term) => respell(term, other))),
  ];
  const sums = (from: ScalarRule<string>["from"]): ScalarRule<string>["from"] => [
    ...from,
    ...others.flatMap((other) => from.filter((sum) => sum.some(own)).map((sum) => sum.map((term) => respell(term, other)))),
  ];
  const scalar = <N>(rule: ScalarRule<N>): ScalarRule<N> => ({
    ...rule,
    from: sums(rule.from),
    ...(rule.times === undefined ? {} : { times: terms(rule.times) }),
  });
  const listed = <R extends LabelGaugeRule | DistributionRule>(rule: R): R => ({ ...rule, from: terms(rule.from) });
  return {
    ...dialect,
    counters: dialect.counters.map(scalar),
    gauges: dialect.gauges.map(scalar),
    labelGauges: dialect.labelGauges.map(listed),
    distributions: dialect.distributions.map(listed),
  };
}
