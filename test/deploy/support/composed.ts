import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { HOME } from "../../../scripts/gates/command.ts";
import { component } from "../../support/components.ts";
import { kustomize, type KubeObject, type Manifests, type Workload } from "../../support/manifests.ts";

/** The observe overlay with some components, as an operator would write it. */
export function withComponents(...names: readonly string[]): Manifests {
  // kustomize follows relative paths only, so the folder lies beside the ones it names.
  const folder = mkdtempSync(join(HOME, "deploy", ".test-"));
  const to = (path: string): string => relative(folder, join(HOME, "deploy", path));
  const kustomization = {
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    resources: [to("overlays/observe")],
    components: names.map((name) => to(`components/${name}`)),
  };
  try {
    writeFileSync(join(folder, "kustomization.yaml"), JSON.stringify(kustomization));
    return kustomize(component("kubectl") ?? "", folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const workload = (m: Manifests, kind: string): Workload => {
  const found = m.workloads.find((w) => w.kind === kind);
  if (found === undefined) throw new Error(`no ${kind}`);
  return found;
};
export const spec = (w: Workload) => w.spec.template.spec;
export const container = (w: Workload) => {
  const [first] = spec(w).containers;
  if (first === undefined) throw new Error("no container");
  return first;
};
export const env = (w: Workload, name: string): string | undefined => container(w).env.find((e) => e.name === name)?.value;
export const named = (m: Manifests, kind: string, name: string): KubeObject | undefined =>
  m.all.find((o) => o.kind === kind && o.metadata.name === name);
