import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { CATALOG } from "../../core/catalog.ts";
import { overview } from "../../dashboards/src/overview.ts";
import { committedOverview, drawnPanels, OVERVIEW } from "../support/dashboard-queries.ts";
import { catalogProblems, metricsOf } from "../support/promql-catalog.ts";
import { withoutVariables } from "../support/promql.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const panels = drawnPanels();

describe("the committed overview", () => {
  it("is what its source builds", () => {
    expect(JSON.parse(readFileSync(OVERVIEW, "utf8"))).toEqual(JSON.parse(JSON.stringify(overview())));
  });

  it("asks in the order of the questions", () => {
    expect(
      committedOverview()
        .panels.filter((panel) => panel.type === "row")
        .map((panel) => panel.title),
    ).toEqual([
      "Are the targets held?",
      "Which pool is short?",
      "KV transfer",
      "GPUs",
      "What did the scaler do, and why?",
      "Fulcrum itself",
    ]);
    expect(committedOverview().templating.list.map((variable) => variable.name)).toEqual(["datasource", "namespace", "policy", "pool"]);
  });

  it.each(panels.map((panel) => [panel.title, panel] as const))("%s has a description, a unit, legends and thresholds", (_, panel) => {
    expect(panel.description?.length ?? 0).toBeGreaterThan(20);
    expect(panel.fieldConfig?.defaults.unit).toBeTruthy();
    expect(panel.fieldConfig?.defaults.thresholds?.steps.length ?? 0).toBeGreaterThan(0);
    expect(panel.targets?.length ?? 0).toBeGreaterThan(0);
    for (const target of panel.targets ?? []) expect(target.legendFormat).toBeTruthy();
    const refs = (panel.targets ?? []).map((target) => target.refId);
    expect(new Set(refs).size).toBe(refs.length);
  });

  it.each(panels.map((panel) => [panel.title, panel] as const))("%s reads only metrics and labels of the catalog", (_, panel) => {
    for (const target of panel.targets ?? []) expect(catalogProblems(withoutVariables(target.expr), new Set())).toEqual([]);
  });

  it.each(panels.map((panel) => [panel.title, panel] as const))("%s names in its legends only labels its expression keeps", (_, panel) => {
    for (const target of panel.targets ?? []) {
      const named = [...(target.legendFormat ?? "").matchAll(/\{\{([a-z_]+)\}\}/g)].map((m) => m[1] ?? "");
      const aggregated = / by \(([^)]*)\)/.exec(target.expr);
      const kept = aggregated === null ? ["instance", "job"] : (aggregated[1] ?? "").split(/, */);
      expect(kept).toEqual(expect.arrayContaining(named));
    }
  });

  it("places its panels without overlap inside 24 columns", () => {
    const cells = new Set<string>();
    for (const { gridPos, title } of committedOverview().panels) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(cells.has(`${x},${y}`), `${title} at ${x},${y}`).toBe(false);
          cells.add(`${x},${y}`);
        }
    }
    const ids = committedOverview().panels.map((panel) => panel.id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("shows every metric of the scaler that says what it wants and why", () => {
    const shown = new Set(panels.flatMap((panel) => panel.targets ?? []).flatMap((target) => metricsOf(withoutVariables(target.expr))));
    const missing = CATALOG.filter((spec) => (spec.labels as readonly string[]).includes("policy") && !shown.has(spec.name));
    expect(missing.map((spec) => spec.name)).toEqual([]);
  });
});

describe("dashboards/src/main.ts", () => {
  // A copy, so that the drift is ours and the committed file stays as it is.
  const copy = mkdtempSync(join(tmpdir(), "fulcrum-dashboards-"));
  afterAll(() => rmSync(copy, { recursive: true, force: true }));
  cpSync(join(root, "dashboards"), join(copy, "dashboards"), { recursive: true });
  cpSync(join(root, "core"), join(copy, "core"), { recursive: true });
  cpSync(join(root, "package.json"), join(copy, "package.json"));
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  const file = join(copy, "dashboards", "fulcrum-overview.json");
  const tsx = join(root, "node_modules", ".bin", "tsx");

  it("--check passes on what is committed", () => {
    expect(execFileSync(tsx, ["dashboards/src/main.ts", "--check"], { cwd: copy, encoding: "utf8" })).toContain("as built");
  });

  it("--check fails on a change by hand and says where and what to do; writing mends it", () => {
    writeFileSync(file, readFileSync(file, "utf8").replace('"title": "Utilization"', '"title": "Utilisation"'));
    const { status, stderr } = spawnSync(tsx, ["dashboards/src/main.ts", "--check"], { cwd: copy, encoding: "utf8" });
    expect(status).toBe(1);
    expect(stderr).toMatch(/differs from its source at line \d+/);
    expect(stderr).toContain('"title": "Utilisation"');
    expect(stderr).toContain("npx tsx dashboards/src/main.ts");
    execFileSync(tsx, ["dashboards/src/main.ts"], { cwd: copy });
    expect(readFileSync(file, "utf8")).toBe(readFileSync(OVERVIEW, "utf8"));
  });
});
