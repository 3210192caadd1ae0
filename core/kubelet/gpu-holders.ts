import type { Allocation, AllocatedDevice } from "./pod-resources.ts";

export interface PodName {
  readonly namespace: string;
  readonly pod: string;
}

/** As a reader names it: `gpu` is the index on the node, of a MIG instance `<index>/<GPU instance id>`; some give an instance its parent's UUID. */
export interface HeldGpu {
  readonly uuid: string;
  readonly gpu: string;
  readonly instance?: { readonly parent: string };
}

/** Who was given a GPU. */
export interface GpuHolders {
  /** Of a GPU or of a MIG instance; a shared one has several. Who holds a part of a GPU holds neither the whole nor another part. */
  of(gpu: HeldGpu): readonly PodName[];
  /** Devices of claims whose UUID is not known. */
  readonly unresolved: number;
}

export const noHolders: GpuHolders = { of: () => [], unresolved: 0 };

/** UUIDs of devices as the driver of a claim calls them, out of ResourceSlices: `pool/device` → UUID of the GPU or MIG instance. */
export type ClaimDevices = ReadonlyMap<string, string>;

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
    of(gpu) {
      const found = namesOf(gpu).find((key) => byKey.has(key));
      return found === undefined ? [] : [...(byKey.get(found) ?? new Map<string, PodName>()).values()];
    },
  };
}

/** What a GPU or an instance may have been given away as, the surest first. */
function namesOf({ uuid, gpu, instance }: HeldGpu): readonly string[] {
  const byIndex = `index ${gpu}`;
  if (instance === undefined) return [uuid, byIndex];
  const ofParent = `${instance.parent}/${gpu.slice(gpu.lastIndexOf("/") + 1)}`;
  return uuid === instance.parent ? [ofParent, byIndex] : [uuid, ofParent, byIndex];
}

/** What a device answers to; none for a device that is no GPU; undefined when only a ResourceSlice could tell. */
function keysOf(device: AllocatedDevice, claimed: ClaimDevices): readonly string[] | undefined {
  if (device.by === "plugin") return pluginKeys(device.id);
  if (device.driver !== GPU_DRIVER) return [];
  const known = claimed.get(claimKey(device.pool, device.device));
  return known === undefined ? undefined : [known];
}

/**
 * The forms of NVIDIA's device plugin and of GKE's: `GPU-<uuid>`; `GPU-<uuid>::3`, a time-sliced or MPS replica; `MIG-<uuid>`;
 * `MIG-GPU-<uuid>/<gi>/<ci>` of drivers before 470; `nvidia0`, `nvidia0/gi3`, `nvidia0/vgpu2`, `nvidia0/gi3/vgpu2`, where gi is the GPU instance id.
 */
function pluginKeys(id: string): readonly string[] {
  const [device = ""] = id.split("::", 1);
  const old = /^MIG-(GPU-[0-9a-f-]+\/\d+)\/\d+$/.exec(device);
  if (old?.[1] !== undefined) return [device, old[1]];
  if (/^(GPU|MIG)-/.test(device)) return [device];
  const gke = /^nvidia(\d+)(?:\/gi(\d+))?(?:\/vgpu\d+)?$/.exec(device);
  if (gke?.[1] === undefined) return [];
  return [`index ${gke[1]}${gke[2] === undefined ? "" : `/${gke[2]}`}`];
}
