/** How a chart's vertical axis is labelled: the unit follows the largest value shown. */
export interface AxisUnit {
  readonly label: string;
  readonly factor: number;
}
export type AxisScale = (max: number) => AxisUnit;

export const latencyAxis: AxisScale = (max) => (max < 1 ? { label: "ms", factor: 1000 } : { label: "s", factor: 1 });

export const bandwidthAxis: AxisScale = (max) => {
  if (max >= 1e9) return { label: "GB/s", factor: 1e-9 };
  if (max >= 1e6) return { label: "MB/s", factor: 1e-6 };
  return { label: "kB/s", factor: 1e-3 };
};

export const percentAxis: AxisScale = () => ({ label: "%", factor: 100 });

/** Counts: thousands move into the label so that ticks stay short. */
export const countAxis = (unit: string): AxisScale => {
  return (max) => (max >= 10_000 ? { label: `k ${unit}`, factor: 1e-3 } : { label: unit, factor: 1 });
};

/** Tick text with just the decimals its increment needs. */
export function tick(value: number, increment: number, unit: AxisUnit): string {
  const step = increment * unit.factor;
  // 1e-9 absorbs binary noise such as log10(0.1 × 1000) slightly below 2.
  const decimals = step > 0 ? Math.min(6, Math.max(0, -Math.floor(Math.log10(step) + 1e-9))) : 0;
  return (value * unit.factor).toFixed(decimals);
}
