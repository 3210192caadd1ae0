import type { Role } from "../pool.ts";
import type { Dialect, DistributionRule, Expectation, ScalarRule, Tables } from "./dialect.ts";

/** What the dialect says of one role. */
export const forRole = (dialect: Dialect, role: Role): Dialect => ({ ...dialect, ...rowsFor(dialect, role) });

/**
 * A role's dialect with the tables of what may stand on the same page: transfer libraries, Dynamo's worker. Where the engine publishes a name
 * itself, that is taken; the added rows are further alternatives. Nothing that is added is expected: most pods do not have it.
 */
export function withTables(dialect: Dialect, role: Role, added: readonly Tables[]): Dialect {
  return added
    .map((tables) => rowsFor(tables, role))
    .reduce<Dialect>(
      (base, tables) => ({
        ...base,
        counters: joined(base.counters, tables.counters, appendScalar),
        gauges: joined(base.gauges, tables.gauges, appendScalar),
        labelGauges: [...base.labelGauges, ...tables.labelGauges],
        distributions: joined(base.distributions, tables.distributions, appendDistribution),
      }),
      forRole(dialect, role),
    );
}

function rowsFor(tables: Tables, role: Role): Tables {
  const applies = (rule: Expectation): boolean => rule.roles?.includes(role) ?? true;
  return {
    counters: tables.counters.filter(applies),
    gauges: tables.gauges.filter(applies),
    labelGauges: tables.labelGauges.filter(applies),
    distributions: tables.distributions.filter(applies),
  };
}

function joined<R extends Expectation & { readonly name: string }>(
  base: readonly R[],
  added: readonly R[],
  append: (rule: R, more: R) => R,
): readonly R[] {
  let rules = base;
  for (const more of added) {
    const known = rules.some((rule) => rule.name === more.name);
    rules = known ? rules.map((rule) => (rule.name === more.name ? append(rule, more) : rule)) : [...rules, { ...more, expected: [] }];
  }
  return rules;
}

const appendScalar = <N>(rule: ScalarRule<N>, more: ScalarRule<N>): ScalarRule<N> => ({ ...rule, from: [...rule.from, ...more.from] });
const appendDistribution = (rule: DistributionRule, more: DistributionRule): DistributionRule => ({
  ...rule,
  from: [...rule.from, ...more.from],
});
