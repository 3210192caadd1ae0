/** One metric family of a page: what the real engine declares, with the label sets it shows. */
export type FamilyKind = "counter" | "gauge" | "histogram";
export type Labels = Readonly<Record<string, string>>;

export interface Family {
  /** As on the page: counters end in `_total`. */
  readonly name: string;
  readonly kind: FamilyKind;
  readonly help: string;
  /** Label names whose values belong to the process (model_name, engine …). */
  readonly labels: readonly string[];
  /** Labels that tell the series of one family apart; one empty set when there is one series. */
  readonly variants: readonly Labels[];
  /** Upper bounds without +Inf; empty for counters and gauges. */
  readonly buckets: readonly number[];
}

const ONE: readonly Labels[] = [{}];

/** `label` with each of `values`: the usual way a family has several series. */
export const each = (label: string, ...values: readonly string[]): readonly Labels[] => values.map((value) => ({ [label]: value }));

export interface FamilyMakers {
  counter(name: string, help: string, variants?: readonly Labels[]): Family;
  gauge(name: string, help: string, variants?: readonly Labels[]): Family;
  histogram(name: string, help: string, buckets: readonly number[], variants?: readonly Labels[]): Family;
}

/** Makers of families that carry the given process labels. */
export function families(...labels: readonly string[]): FamilyMakers {
  return {
    counter: (name, help, variants = ONE) => ({ name, kind: "counter", help, labels, variants, buckets: [] }),
    gauge: (name, help, variants = ONE) => ({ name, kind: "gauge", help, labels, variants, buckets: [] }),
    histogram: (name, help, buckets, variants = ONE) => ({ name, kind: "histogram", help, labels, variants, buckets }),
  };
}
