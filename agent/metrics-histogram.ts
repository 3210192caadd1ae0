import { Histogram, type HistogramConfiguration } from "prom-client";
import type { Distribution } from "../core/distribution.ts";
import { upperBound } from "../core/sketch/exponential.ts";

interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** Per bucket, not cumulative; the last is above every bound. */
  readonly counts: number[];
  sum: number;
  count: number;
}

/**
 * A prom-client histogram that is fed whole distributions instead of single values.
 *
 * What an engine counted in a bucket of its own is counted here at that bucket's UPPER bound: the latency shown is then
 * never better than it was, and at most one engine bucket worse. Sketch buckets are 2.2 % wide and placed the same way.
 * `_sum` and `_count` are the engine's own, so means are exact.
 */
export class DistributionHistogram extends Histogram {
  readonly #name: string;
  readonly #help: string;
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, Series>();

  constructor(config: HistogramConfiguration<string> & { readonly buckets: number[] }) {
    super(config);
    this.#name = config.name;
    this.#help = config.help;
    this.#bounds = config.buckets;
  }

  add(labels: Readonly<Record<string, string>>, distribution: Distribution): void {
    const key = JSON.stringify(labels);
    const series = this.#series.get(key) ?? { labels, counts: new Array<number>(this.#bounds.length + 1).fill(0), sum: 0, count: 0 };
    this.#series.set(key, series);
    for (const [bound, count] of buckets(distribution)) {
      const found = this.#bounds.findIndex((le) => bound <= le);
      const at = found < 0 ? this.#bounds.length : found;
      series.counts[at] = (series.counts[at] ?? 0) + count;
    }
    const { sum, count } = distribution.kind === "buckets" ? distribution : distribution.sketch;
    series.sum += sum;
    series.count += count;
  }

  forget(labels: Readonly<Record<string, string>>): void {
    this.#series.delete(JSON.stringify(labels));
  }

  /** prom-client's own door to a metric's values; `get` and the text page both go through it. */
  async getForPromString(): Promise<object> {
    const values = [...this.#series.values()].flatMap((series) => this.#values(series));
    return { name: this.#name, help: this.#help, type: "histogram", values, aggregator: "sum" };
  }

  #values(series: Series) {
    const name = this.#name;
    const sharedLabels = series.labels;
    let cumulative = 0;
    const rows = this.#bounds.map((le, i) => {
      cumulative += series.counts[i] ?? 0;
      return { metricName: `${name}_bucket`, sharedLabels, labels: { le }, value: cumulative };
    });
    return [
      ...rows,
      { metricName: `${name}_bucket`, sharedLabels, labels: { le: "+Inf" }, value: series.count },
      { metricName: `${name}_sum`, sharedLabels, labels: {}, value: series.sum },
      { metricName: `${name}_count`, sharedLabels, labels: {}, value: series.count },
    ];
  }
}

/** Non-empty buckets as [upper bound, count]. */
function* buckets(distribution: Distribution): Generator<readonly [number, number]> {
  if (distribution.kind === "buckets") {
    for (const [i, count] of distribution.counts.entries()) if (count > 0) yield [distribution.le[i] ?? Number.POSITIVE_INFINITY, count];
    return;
  }
  const { scale, offset, counts, zeros, max } = distribution.sketch;
  if (zeros > 0) yield [0, zeros];
  for (const [i, count] of counts.entries()) if (count > 0) yield [Math.min(max, upperBound(offset + i, scale)), count];
}
