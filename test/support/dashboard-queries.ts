import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { withoutVariables } from "./promql.ts";

export const OVERVIEW = fileURLToPath(new URL("../../dashboards/fulcrum-overview.json", import.meta.url));

export interface DashboardPanel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly refId: string; readonly expr: string; readonly legendFormat?: string }[];
  readonly fieldConfig?: {
    readonly defaults: {
      readonly unit?: string;
      readonly thresholds?: { readonly steps: readonly { readonly value: number | null; readonly color: string }[] };
    };
  };
}

interface Dashboard {
  readonly uid: string;
  readonly panels: readonly DashboardPanel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string; readonly query: unknown }[] };
}

export const committedOverview = (): Dashboard => JSON.parse(readFileSync(OVERVIEW, "utf8")) as Dashboard;

/** Panels that draw something, rows left out. */
export const drawnPanels = (): DashboardPanel[] => committedOverview().panels.filter((panel) => panel.type !== "row");

/** Each panel's expressions as a Prometheus can run them: variables on "All", the rate window one minute. */
export function panelQueries(): { readonly title: string; readonly expressions: readonly string[] }[] {
  return drawnPanels().map((panel) => ({
    title: panel.title,
    expressions: (panel.targets ?? []).map((target) => withoutVariables(target.expr)),
  }));
}
