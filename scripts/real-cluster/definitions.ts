import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

/**
 * Kinds of other vendors', as they publish them: what our manifests name beside Kubernetes' own, and what is scaled. They come from the
 * vendors' Go modules, which carry their definitions.
 */
export const VENDORS = {
  certManager: { module: "github.com/cert-manager/cert-manager@v1.19.1", folder: "deploy/crds" },
  keda: { module: "github.com/kedacore/keda/v2@v2.18.1", folder: "config/crd/bases" },
  kserve: { module: "github.com/kserve/kserve@v0.20.0", folder: "config/crd/full/llmisvc" },
  leaderWorkerSet: { module: "sigs.k8s.io/lws@v0.8.0", folder: "config/crd/bases" },
  prometheusOperator: { module: "github.com/prometheus-operator/prometheus-operator@v0.85.0", folder: "example/prometheus-operator-crd" },
} as const;

export type Vendor = keyof typeof VENDORS;
const run = promisify(execFile);
const CONDITION_TRIES = 40;

/** The folder of a vendor's definitions, fetched once; throws where Go or the module cannot be had. */
async function definitionsOf(vendor: Vendor): Promise<string> {
  const { module, folder } = VENDORS[vendor];
  const { stdout } = await run("go", ["mod", "download", "-json", module], { cwd: import.meta.dirname, maxBuffer: 1 << 22 });
  const { Dir } = JSON.parse(stdout) as { readonly Dir?: string };
  if (Dir === undefined) throw new Error(`${module} has no folder`);
  return join(Dir, folder);
}

/** Applied by the server, as they are too large for an annotation; kustomizations and their patches beside them are no objects. */
export async function applyDefinitions(kubectl: string, kubeconfig: string, vendor: Vendor): Promise<void> {
  const folder = await definitionsOf(vendor);
  const files = readdirSync(folder).filter((name) => name.endsWith(".yaml") && !/^kustomization|_patch/.test(name));
  const named = files.flatMap((name) => ["-f", join(folder, name)]);
  await run(kubectl, ["--kubeconfig", kubeconfig, "apply", "--server-side", "--force-conflicts", ...named], { maxBuffer: 1 << 22 });
  const wait = (): Promise<unknown> =>
    run(kubectl, ["--kubeconfig", kubeconfig, "wait", "--for=condition=established", "--timeout=60s", ...named]);
  for (let tries = 1; ; tries++) {
    try {
      return void (await wait());
    } catch (error) {
      // One that was made just now may have no conditions yet, which kubectl takes for a failure instead of waiting.
      if (tries === CONDITION_TRIES || !/conditions accessor error/.test(String(error))) throw error;
    }
    await sleep(250);
  }
}
