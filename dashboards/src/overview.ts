import {
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
  type Dashboard,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DATASOURCE, type StatBuilder, type TimeseriesBuilder } from "./panels.ts";
import { labelValues } from "./promql.ts";
import { decisions } from "./rows/decisions.ts";
import { gpus } from "./rows/gpus.ts";
import { objectives } from "./rows/objectives.ts";
import { pools } from "./rows/pools.ts";
import { self } from "./rows/self.ts";
import { transfer } from "./rows/transfer.ts";

const ROWS: readonly { readonly title: string; readonly panels: readonly (StatBuilder | TimeseriesBuilder)[] }[] = [
  { title: "Are the targets held?", panels: objectives },
  { title: "Which pool is short?", panels: pools },
  { title: "KV transfer", panels: transfer },
  { title: "GPUs", panels: gpus },
  { title: "What did the scaler do, and why?", panels: decisions },
  { title: "Fulcrum itself", panels: self },
];

const everything = (name: string, label: string, query: string): QueryVariableBuilder =>
  new QueryVariableBuilder(name)
    .label(label)
    .datasource(DATASOURCE)
    .query(query)
    .multi(true)
    .includeAll(true)
    .current({ text: ["All"], value: ["$__all"] })
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc);

/** One page from "are the targets held" down to "is Fulcrum itself well". */
export function overview(): Dashboard {
  const dashboard = new DashboardBuilder("Fulcrum overview")
    .uid("fulcrum-overview")
    .description("Are the latency targets held, which pool is short, what did the scaler do and why.")
    .tags(["fulcrum", "llm-serving"])
    .editable()
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: "now-1h", to: "now" })
    .refresh("10s")
    .withVariable(new DatasourceVariableBuilder("datasource").label("Data source").type("prometheus"))
    // Series that every policy has from its first tick, whatever is known of its replicas.
    .withVariable(everything("namespace", "Namespace", labelValues("fulcrum_objective_seconds", "namespace")))
    .withVariable(everything("policy", "Policy", labelValues("fulcrum_objective_seconds", "policy", { namespace: '=~"$namespace"' })))
    // From the agents: a frontend is a pool that no policy names, and it is where TTFT is seen best.
    .withVariable(everything("pool", "Pool", labelValues("fulcrum_requests_running", "pool", { namespace: '=~"$namespace"' })));
  let id = 1;
  for (const row of ROWS) {
    dashboard.withRow(new RowBuilder(row.title).id(id++));
    for (const panel of row.panels) dashboard.withPanel(panel.id(id++));
  }
  return dashboard.build();
}
