import {
  GraphDrawStyle,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  LineInterpolation,
  SortOrder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  GraphThresholdsStyleConfigBuilder,
  StackingConfigBuilder,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
  BigValueColorMode,
  BigValueGraphMode,
  ReduceDataOptionsBuilder,
} from "@grafana/grafana-foundation-sdk/common";
import { ThresholdsConfigBuilder, ThresholdsMode } from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as StatBuilder } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as TimeseriesBuilder } from "@grafana/grafana-foundation-sdk/timeseries";

export type { StatBuilder, TimeseriesBuilder };
export const DATASOURCE = { type: "prometheus", uid: "${datasource}" };

export interface Query {
  readonly expr: string;
  readonly legend: string;
}

/** Value from which the colour applies; the first step has no lower bound. */
export type Steps = readonly [Step, ...Step[]];
interface Step {
  readonly from?: number;
  readonly color: "green" | "yellow" | "orange" | "red" | "blue" | "text";
}

/** For panels that show a quantity without a good or a bad side. */
export const NEUTRAL: Steps = [{ color: "text" }];
/** Shares that hurt as they near one. */
export const NEARLY_FULL: Steps = [{ color: "green" }, { from: 0.85, color: "yellow" }, { from: 0.95, color: "red" }];
/** Events that should not happen. */
export const NONE_EXPECTED: Steps = [{ color: "green" }, { from: 1e-9, color: "red" }];

export interface PanelSpec {
  readonly title: string;
  readonly description: string;
  readonly unit: string;
  readonly queries: readonly [Query, ...Query[]];
  readonly thresholds: Steps;
  readonly width?: number;
  readonly height?: number;
  readonly min?: number;
  readonly max?: number;
}

export interface GraphSpec extends PanelSpec {
  /** Lines (default), steps for counts that jump, stacked bars for events. */
  readonly draw?: "lines" | "steps" | "bars";
}

const thresholds = (steps: Steps): ThresholdsConfigBuilder =>
  new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps.map((step) => ({ value: step.from ?? null, color: step.color })));

const refId = (index: number): string => String.fromCharCode("A".charCodeAt(0) + index);

const target = (query: Query, index: number): DataqueryBuilder =>
  new DataqueryBuilder().refId(refId(index)).datasource(DATASOURCE).expr(query.expr).legendFormat(query.legend).range();

/** A time series with its legend as a table of last, mean and highest value. */
export function graph(spec: GraphSpec): TimeseriesBuilder {
  const draw = spec.draw ?? "lines";
  const bars = draw === "bars";
  const panel = new TimeseriesBuilder()
    .title(spec.title)
    .description(spec.description)
    .datasource(DATASOURCE)
    .unit(spec.unit)
    .targets(spec.queries.map(target))
    .span(spec.width ?? 8)
    .height(spec.height ?? 8)
    .min(spec.min ?? 0)
    .thresholds(thresholds(spec.thresholds))
    .thresholdsStyle(
      new GraphThresholdsStyleConfigBuilder().mode(
        spec.thresholds.length > 1 && !bars ? GraphThresholdsStyleMode.Dashed : GraphThresholdsStyleMode.Off,
      ),
    )
    .drawStyle(bars ? GraphDrawStyle.Bars : GraphDrawStyle.Line)
    .lineInterpolation(draw === "steps" ? LineInterpolation.StepAfter : LineInterpolation.Linear)
    .lineWidth(bars ? 0 : 1)
    .fillOpacity(bars ? 80 : 0)
    .showPoints(VisibilityMode.Never)
    .stacking(new StackingConfigBuilder().mode(bars ? StackingMode.Normal : StackingMode.None))
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs(["lastNotNull", "mean", "max"]),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
  return spec.max === undefined ? panel : panel.max(spec.max);
}

/** One figure per series, coloured by its thresholds. */
export function stat(spec: PanelSpec): StatBuilder {
  return new StatBuilder()
    .title(spec.title)
    .description(spec.description)
    .datasource(DATASOURCE)
    .unit(spec.unit)
    .targets(spec.queries.map(target))
    .span(spec.width ?? 4)
    .height(spec.height ?? 4)
    .noValue("no data")
    .thresholds(thresholds(spec.thresholds))
    .colorMode(BigValueColorMode.Value)
    .graphMode(BigValueGraphMode.Area)
    .reduceOptions(new ReduceDataOptionsBuilder().values(false).calcs(["lastNotNull"]).fields(""));
}
