import type { Allocation, AllocatedDevice } from "./pod-resources.ts";

export interface PodName {
  readonly namespace: string;
  readonly pod: string;
}

/** Who was given a GPU. */
export interface GpuHolders {
  /** Of a GPU, or of a slice of it, by its UUID or its index on the node; a shared GPU has several. */
  of(gpu: { readonly uuid: string; readonly gpu: string }): readonly PodName[];
  /** Devices of claims whose UUID is not known. */
  readonly unresolved: number;
}

export const noHolders: GpuHolders = { of: () => [], unresolved: 0 };

/** UUIDs of devices as the driver of a claim calls them, out of ResourceSlices: `pool/device` → UUID of the GPU or slice, and of its parent. */
export type ClaimDevices = ReadonlyMap<string, { readonly uuid: string; readonly parent?: string }>;

export const GPU_DRIVER = "gpu.nvidia.com";
export const claimKey = (pool: string, device: string): string => `${pool}/${device}`;

export function gpuHolders(allocations: readonly Allocation[], claimed: ClaimDevices): GpuHolders {
  const byKey = new Map<string, Map<string, PodName>>();
  let unresolved = 0;
  for (const { namespace, pod, device } of allocations) {
    const keys = keysOf(device, claimed);
    if (keys === undefined) unresolved++;
    for (const key of keys ?? []) {
      const pods = byKey.get(key) ?? new Map<string, PodName>();
      byKey.set(key, pods.set(`${namespace}/${pod}`, { namespace, pod }));
    }
  }
  return {
    unresolved,
    of: ({ uuid, gpu }) => [...(byKey.get(uuid) ?? byKey.get(`index ${gpu}`) ?? new Map<string, PodName>()).values()],
  };
}

/** What a device answers to; none for a device that is no GPU; undefined when only a ResourceSlice could tell. */
function keysOf(device: AllocatedDevice, claimed: ClaimDevices): readonly string[] | undefined {
  if (device.by === "plugin") return pluginKeys(device.id);
  if (device.driver !== GPU_DRIVER) return [];
  const known = claimed.get(claimKey(device.pool, device.device));
  if (known === undefined) return undefined;
  return known.parent === undefined ? [known.uuid] : [known.uuid, known.parent];
}

/**
 * The forms of NVIDIA's device plugin and of GKE's: `GPU-<uuid>`; `GPU-<uuid>::3`, a time-sliced or MPS replica; `MIG-<uuid>`, whose parent only
 * the driver knows; `MIG-GPU-<uuid>/<gi>/<ci>` of drivers before 470; `nvidia0`, `nvidia0/gi3`, `nvidia0/vgpu2`.
 */
function pluginKeys(id: string): readonly string[] {
  const [device = ""] = id.split("::", 1);
  const old = /^MIG-(GPU-[0-9a-f-]+)\/\d+\/\d+$/.exec(device);
  if (old?.[1] !== undefined) return [device, old[1]];
  if (/^(GPU|MIG)-/.test(device)) return [device];
  const gke = /^nvidia(\d+)(?:\/(?:gi|vgpu)\d+)*$/.exec(device);
  return gke?.[1] === undefined ? [] : [`index ${gke[1]}`];
}
