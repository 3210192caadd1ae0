import uPlot from "uplot";
import { type AxisScale, tick } from "./axis.ts";
import { clock, clockShort } from "./clock.ts";
import type { Pick } from "./columns.ts";
import type { Format } from "./format.ts";
import { color, type Tone } from "./theme.ts";

export interface Line {
  readonly label: string;
  readonly pick: Pick;
  readonly tone: Tone;
  readonly format: Format;
  /** Counts change at a moment: no slope between two of them. */
  readonly step?: true;
  readonly dash?: "dashed" | "dotted";
  readonly fill?: true;
  readonly width?: number;
}

export interface ChartSpec {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly axis: AxisScale;
  /** Fixed top of the axis, e.g. 1 for a share. */
  readonly top?: number;
  /** Smallest top, so that an idle chart does not magnify noise. */
  readonly atLeast?: number;
  readonly whole?: true;
}

const DASHES = { dashed: [6, 4], dotted: [2, 3] } as const;
const FONT = "11px system-ui, sans-serif";
/** Key under which uPlot joins the charts' crosshairs. */
export const SYNC = "fulcrum";
const TICK = 4;
/** Keeps a line at the top from being cut in half. */
const HEADROOM = 1.06;
/** Below this span the time axis needs seconds. */
const SECONDS_BELOW = 240;
/** Pixels at the right edge that hold no time label. */
const EDGE = 20;
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
const WHOLE_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000];

export function chartOptions(
  spec: ChartSpec,
  size: { readonly width: number; readonly height: number },
  moved: (u: uPlot) => void,
): uPlot.Options {
  return {
    ...size,
    padding: [8, 10, 0, 0],
    legend: { show: false },
    // One crosshair over all charts: a spike is read across them at the same time.
    cursor: { sync: { key: SYNC, setSeries: false }, drag: { x: false, y: false }, y: false, points: { size: 6 } },
    scales: { x: { time: true }, y: { range: (_u, _min, max) => [0, topOf(spec, max)] } },
    axes: [timeAxis(), valueAxis(spec)],
    series: [{}, ...spec.lines.map(lineSeries)],
    hooks: { setCursor: [moved], setData: [moved] },
  };
}

function topOf(spec: ChartSpec, max: number | null): number {
  if (spec.top !== undefined) return spec.top * HEADROOM;
  const floor = spec.atLeast ?? 1;
  return Math.max(floor, Number.isFinite(max) ? (max ?? 0) * HEADROOM : 0);
}

function lineSeries(line: Line): uPlot.Series {
  const stepped = uPlot.paths.stepped?.({ align: 1 });
  return {
    label: line.label,
    stroke: () => color(line.tone),
    width: line.width ?? 1.5,
    points: { show: false },
    ...(line.dash === undefined ? {} : { dash: [...DASHES[line.dash]] }),
    ...(line.fill === undefined ? {} : { fill: () => `${color(line.tone)}1f` }),
    ...(line.step === undefined || stepped === undefined ? {} : { paths: stepped }),
  };
}

const strokes = {
  stroke: () => color("muted"),
  grid: { stroke: () => color("grid"), width: 1 },
  ticks: { stroke: () => color("grid"), width: 1, size: TICK },
  font: FONT,
  labelFont: FONT,
};

function timeAxis(): uPlot.Axis {
  return {
    ...strokes,
    size: 24,
    gap: 4,
    // "07:35:14" is wider than "07:35".
    space: (_u, _axis, min, max) => (max - min < SECONDS_BELOW ? 68 : 46),
    incrs: TIME_STEPS,
    values: (u, splits, _axis, _space, increment) => {
      const { min = 0, max = 1 } = u.scales["x"] ?? {};
      const text = increment < 60 ? clock : clockShort;
      // The canvas ends where the plot does: a label centred at the very edge would be cut.
      const edge = ((max ?? 1) - (min ?? 0)) * (EDGE / u.width);
      return splits.map((at) => ((max ?? 1) - at < edge ? "" : text(at)));
    },
  };
}

function valueAxis(spec: ChartSpec): uPlot.Axis {
  const unit = (u: uPlot) => spec.axis(u.scales["y"]?.max ?? 1);
  return {
    ...strokes,
    size: 42,
    gap: 4,
    space: 24,
    label: (u) => unit(u).label,
    labelSize: 16,
    labelGap: 0,
    ...(spec.whole === undefined ? {} : { incrs: WHOLE_STEPS }),
    values: (u, splits, _axis, _space, increment) => splits.map((v) => tick(v, increment, unit(u))),
  };
}
