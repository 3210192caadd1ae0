import { z } from "zod";
import { type ClaimDevices, GPU_DRIVER, claimKey } from "../../core/kubelet/gpu-holders.ts";
import { type Result, err, ok } from "../../core/result.ts";
import type { KubeApi } from "./kube-api.ts";

/** Newest first; a cluster serves some of them. */
const VERSIONS = ["v1", "v1beta2", "v1beta1"];
const MAX_DEVICES = 4096;

const attributes = z.record(z.string(), z.object({ string: z.string().nullish() }).loose()).nullish();
const device = z.object({ name: z.string(), attributes, basic: z.object({ attributes }).nullish() });
const listSchema = z.object({
  items: z.array(
    z.object({ spec: z.object({ driver: z.string(), pool: z.object({ name: z.string() }), devices: z.array(device).nullish() }) }),
  ),
});

/** What the GPU driver's ResourceSlices of this node say: the UUIDs behind the names that claims have. */
export async function readResourceSlices(api: KubeApi, node: string, signal: AbortSignal): Promise<Result<ClaimDevices, string>> {
  let last = "";
  for (const version of VERSIONS) {
    const path = `/apis/resource.k8s.io/${version}/resourceslices`;
    const answer = await api.get(path, { fieldSelector: `spec.nodeName=${node}` }, signal);
    if (answer.ok) return devicesIn(answer.value, path);
    last = answer.error.message;
    if (answer.error.status !== 404) break;
  }
  return err(last);
}

function devicesIn(value: unknown, path: string): Result<ClaimDevices, string> {
  const parsed = listSchema.safeParse(value);
  if (!parsed.success) return err(`${path}: not a list of resource slices`);
  const found = new Map<string, string>();
  for (const { spec } of parsed.data.items) {
    if (spec.driver !== GPU_DRIVER) continue;
    for (const { name, attributes: own, basic } of spec.devices ?? []) {
      // Before v1beta2 the attributes stood one level deeper.
      const told = own ?? basic?.attributes ?? {};
      const uuid = told["uuid"]?.string;
      if (typeof uuid !== "string" || found.size >= MAX_DEVICES) continue;
      found.set(claimKey(spec.pool.name, name), uuid);
    }
  }
  return ok(found);
}
