import type { DecodeModel, PrefillModel, TransferModel } from "../../core/latency-model.ts";
import { bytesPerSecond, seconds } from "../../core/units.ts";
import { interrupt } from "./decode.ts";
import { rescaleTransfer } from "./link.ts";
import type { Disturbance } from "./plant.types.ts";
import type { World } from "./world.ts";

export const CALM: Disturbance = { link: 1, prefill: 1, decode: 1, leadTime: 1, schedulable: true };

/** Changes what is wrong with the plant. A factor of 1 gives back the very models, so that a fault that ended leaves no trace. */
export function disturb(world: World, changes: Partial<Disturbance>): void {
  const before = world.disturbance;
  const now = { ...before, ...changes };
  const { prefill, decode, transfer } = world.calm;
  world.disturbance = now;
  world.models = {
    prefill: now.prefill === 1 ? prefill : slowPrefill(prefill, now.prefill),
    decode: now.decode === 1 ? decode : slowDecode(decode, now.decode),
    transfer: now.link === 1 ? transfer : slowTransfer(transfer, now.link),
  };
  if (now.link !== before.link) for (const replica of world.prefill) rescaleTransfer(world, replica, now.link / before.link);
  if (now.decode !== before.decode) for (const replica of world.decode) interrupt(world, replica);
}

export const slowPrefill = ({ floor, c0, c1, c2 }: PrefillModel, by: number): PrefillModel => ({
  floor: floor * by,
  c0: c0 * by,
  c1: c1 * by,
  c2: c2 * by,
});

export const slowDecode = ({ d0, d1, d2 }: DecodeModel, by: number): DecodeModel => ({ d0: d0 * by, d1: d1 * by, d2: d2 * by });

const slowTransfer = (model: TransferModel, by: number): TransferModel => ({
  latency: seconds(model.latency * by),
  bytesPerSecond: bytesPerSecond(model.bytesPerSecond / by),
});
