import { access } from "node:fs/promises";
import { dirname } from "node:path";
import { type ClaimDevices, type GpuHolders, gpuHolders, noHolders } from "../../core/kubelet/gpu-holders.ts";
import type { SourceReport } from "../../wire/messages.ts";
import { type Health, down, unknown, up } from "../scrape/health.ts";
import { everyBeat, monotonicSeconds, phaseOf } from "../scrape/schedule.ts";
import { sourceReport } from "../summarize/sources.ts";
import { kubeAccess } from "./kube-access.ts";
import { createKubeApi } from "./kube-api.ts";
import { createKubelet } from "./kubelet.ts";
import type { AgentSettings } from "../config.ts";
import { readResourceSlices } from "./resource-slices.ts";

export interface PodDevicesOptions {
  readonly settings: Pick<AgentSettings, "podResources" | "node" | "discovery" | "kubeApi" | "serviceAccount">;
  /** Unix seconds. */
  readonly now: () => number;
  readonly origin: number;
  readonly period?: number;
  onBug(cause: unknown): void;
}

/** Who was given which GPU of this node, asked of the kubelet. */
export interface PodDevices {
  holders(): GpuHolders;
  sources(at: number): SourceReport[];
  run(signal: AbortSignal): Promise<void>;
}

/** GPUs are given when a pod starts and taken when it ends, which takes seconds at least. */
const PERIOD = 10;
/** What the kubelet said is not believed for longer: its pods may be gone. */
const MAX_AGE = 60;
/** Names of claims that no slice has are looked up again after this long. */
const SLICES_AGE = 60;

export function createPodDevices({ settings, now, origin, period = PERIOD, onBug }: PodDevicesOptions): PodDevices {
  const { podResources: socket } = settings;
  let health: Health = unknown;
  let known: { readonly holders: GpuHolders; readonly at: number } | undefined;
  let claimed: ClaimDevices = new Map();
  let slicesAt = Number.NEGATIVE_INFINITY;
  let note: string | undefined;

  const lookUp = async (signal: AbortSignal): Promise<void> => {
    slicesAt = now();
    const at = settings.discovery === "off" ? undefined : kubeAccess(settings, process.env);
    if (at?.ok !== true) return void (note = "GPUs given by claims cannot be told apart without discovery");
    const api = createKubeApi(at.value);
    const slices = await readResourceSlices(api, settings.node, signal);
    api.close();
    if (slices.ok) claimed = slices.value;
    note = slices.ok ? undefined : `GPUs given by claims: ${slices.error}`;
  };

  const look = async (signal: AbortSignal, list: ReturnType<typeof createKubelet>["list"]): Promise<void> => {
    const start = monotonicSeconds();
    const answer = await list();
    const took = monotonicSeconds() - start;
    if (!answer.ok) return void (health = down(health, now(), took, answer.error));
    let holders = gpuHolders(answer.value, claimed);
    if (holders.unresolved > 0 && now() - slicesAt >= SLICES_AGE) {
      await lookUp(signal);
      holders = gpuHolders(answer.value, claimed);
    }
    known = { holders, at: now() };
    health = up(
      now(),
      took,
      holders.unresolved > 0 ? (note ?? `${holders.unresolved} GPUs given by claims are in no resource slice`) : undefined,
    );
  };

  return {
    holders: () => (known !== undefined && now() - known.at <= MAX_AGE ? known.holders : noHolders),
    sources: (at) => (health.state === "unknown" ? [] : [sourceReport("gpu", `kubelet ${socket}`, health, at)]),
    async run(signal) {
      // Without the folder (not mounted, no kubelet) there is no such source, and processes lead to pods all the same. The socket in it may
      // be away while the kubelet restarts.
      if (socket === "off" || !(await exists(dirname(socket)))) return;
      const kubelet = createKubelet(socket);
      await everyBeat({ period, phase: phaseOf("kubelet", period), origin }, signal, () => look(signal, kubelet.list).catch(onBug));
      kubelet.close();
    },
  };
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
