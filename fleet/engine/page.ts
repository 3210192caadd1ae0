import type { Family, Labels } from "./family.ts";

/** How one exposition library writes: prometheus_client, its multiprocess mode, the Rust crate. */
export interface PageStyle {
  readonly number: (value: number) => string;
  readonly bound: (value: number) => string;
  /** Where a histogram's `_sum` stands. */
  readonly sum: "first" | "before-count" | "last";
  /** prometheus_client (single process) adds a `_created` gauge family after each counter and histogram. */
  readonly created: number | undefined;
  /** `le` among the sorted labels, or after them. */
  readonly le: "sorted" | "last";
}

interface Series {
  readonly key: string;
  /** Text before the value of each line, once for all scrapes. */
  readonly prefixes: readonly string[];
  readonly createdPrefix: string;
  /** Bucket counts, not cumulative; the last is +Inf. Empty for counters and gauges. */
  readonly counts: number[];
  value: number;
  count: number;
}

interface Block {
  readonly family: Family;
  readonly head: string;
  readonly createdHead: string;
  readonly series: readonly Series[];
}

/**
 * A /metrics page: families in the engine's own order, every line's text prepared once. Counters and
 * histograms only grow (a negative increment is a bug and throws).
 */
export class Page {
  readonly #blocks: readonly Block[];
  readonly #byKey = new Map<string, { readonly family: Family; readonly series: Series }>();
  readonly #style: PageStyle;

  constructor(families: readonly Family[], processLabels: Labels, style: PageStyle) {
    this.#style = style;
    this.#blocks = families.map((family) => this.#block(family, processLabels));
    for (const { family, series } of this.#blocks) for (const one of series) this.#byKey.set(one.key, { family, series: one });
  }

  add(name: string, by: number, variant = ""): void {
    const { family, series } = this.#find(name, variant);
    if (family.kind !== "counter" || by < 0) throw new Error(`cannot add ${by} to ${family.kind} ${name}`);
    series.value += by;
  }

  set(name: string, value: number, variant = ""): void {
    const { family, series } = this.#find(name, variant);
    if (family.kind !== "gauge") throw new Error(`cannot set ${family.kind} ${name}`);
    series.value = value;
  }

  observe(name: string, value: number, times = 1, variant = ""): void {
    if (times <= 0) return;
    const { family, series } = this.#find(name, variant);
    if (family.kind !== "histogram") throw new Error(`cannot observe ${family.kind} ${name}`);
    const index = bucketOf(family.buckets, value);
    series.counts[index] = (series.counts[index] ?? 0) + times;
    series.value += value * times;
    series.count += times;
  }

  /** Current value of a counter or gauge, or a histogram's sum. */
  read(name: string, variant = ""): number {
    return this.#find(name, variant).series.value;
  }

  render(): string {
    const out: string[] = [];
    for (const block of this.#blocks) {
      out.push(block.head);
      for (const series of block.series) this.#writeSeries(out, block.family, series);
      this.#writeCreated(out, block);
    }
    return out.join("");
  }

  #find(name: string, variant: string): { readonly family: Family; readonly series: Series } {
    const found = this.#byKey.get(`${name}|${variant}`);
    if (found === undefined) throw new Error(`no series ${name} ${variant} on this page`);
    return found;
  }

  #writeSeries(out: string[], family: Family, series: Series): void {
    const { number, sum } = this.#style;
    if (family.kind !== "histogram") {
      out.push(series.prefixes[0] ?? "", number(series.value), "\n");
      return;
    }
    const buckets = family.buckets.length + 1;
    const sumLine = (): number => out.push(series.prefixes[buckets] ?? "", number(series.value), "\n");
    const countLine = (): number => out.push(series.prefixes[buckets + 1] ?? "", number(series.count), "\n");
    if (sum === "first") sumLine();
    let cumulative = 0;
    for (let i = 0; i < buckets; i++) {
      cumulative += series.counts[i] ?? 0;
      out.push(series.prefixes[i] ?? "", number(cumulative), "\n");
    }
    if (sum === "before-count") sumLine();
    countLine();
    if (sum === "last") sumLine();
  }

  #writeCreated(out: string[], block: Block): void {
    const created = this.#style.created;
    if (created === undefined || block.family.kind === "gauge" || !hasCreated(block.family)) return;
    out.push(block.createdHead);
    for (const series of block.series) out.push(series.createdPrefix, this.#style.number(created), "\n");
  }

  #block(family: Family, processLabels: Labels): Block {
    const createdName = `${family.kind === "counter" ? family.name.replace(/_total$/, "") : family.name}_created`;
    return {
      family,
      head: `# HELP ${family.name} ${family.help}\n# TYPE ${family.name} ${family.kind}\n`,
      createdHead: `# HELP ${createdName} ${family.help}\n# TYPE ${createdName} gauge\n`,
      series: family.variants.map((variant) => this.#series(family, createdName, processLabels, variant)),
    };
  }

  #series(family: Family, createdName: string, processLabels: Labels, variant: Labels): Series {
    const own: Record<string, string> = {};
    for (const label of family.labels) own[label] = processLabels[label] ?? "";
    Object.assign(own, variant);
    const { name, kind, buckets } = family;
    const line = (suffix: string, le?: string): string => `${name}${suffix}${this.#labelText(own, le)} `;
    const bounds = [...buckets.map(this.#style.bound), "+Inf"];
    const prefixes = kind === "histogram" ? [...bounds.map((le) => line("_bucket", le)), line("_sum"), line("_count")] : [line("")];
    return {
      key: `${name}|${Object.values(variant).join(",")}`,
      prefixes,
      createdPrefix: `${createdName}${this.#labelText(own)} `,
      counts: kind === "histogram" ? bounds.map(() => 0) : [],
      value: 0,
      count: 0,
    };
  }

  #labelText(labels: Labels, le?: string): string {
    const pairs = Object.entries(labels);
    if (le !== undefined && this.#style.le === "sorted") pairs.push(["le", le]);
    pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    if (le !== undefined && this.#style.le === "last") pairs.push(["le", le]);
    return pairs.length === 0 ? "" : `{${pairs.map(([key, value]) => `${key}="${escape(value)}"`).join(",")}}`;
  }
}

/** Python's own process and gc collectors write no `_created` series. */
const hasCreated = (family: Family): boolean => !/^(python|process)_/.test(family.name);

const escape = (value: string): string => value.replace(/\\/g, "\\\\").replace(/\n/g, "\\n").replace(/"/g, '\\"');

/** First bucket whose bound is not below the value (`le`): binary search. */
function bucketOf(buckets: readonly number[], value: number): number {
  let low = 0;
  let high = buckets.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (value <= (buckets[middle] ?? Infinity)) high = middle;
    else low = middle + 1;
  }
  return low;
}
