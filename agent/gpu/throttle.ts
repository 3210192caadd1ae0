import { CLOCK_REASON, FIELD, RC, throttleFields } from "./fields.ts";
import { createFieldReader } from "./field-values.ts";
import type { NvmlLibrary } from "./library.ts";

/** Hardware thermal and power-brake times are read from the board, 0.6 ms each on an H200; the others come from memory, 1 µs. */
const SLOW_EVERY_SECONDS = 10;

const seconds = (ns: number | undefined): number | undefined => (ns === undefined ? undefined : ns / 1e9);

/**
 * Cumulative time that the clocks of one GPU were held down, by reason. The slow pair is read while its reason holds or held at the read
 * before, and every ten seconds besides; in between, the last total stands, which is right as long as nothing throttles.
 */
export function createThrottleReader(
  nvml: NvmlLibrary,
  device: bigint,
  driver: string,
): (fields: ReadonlyMap<number, number>, now: number) => Readonly<Record<string, number>> {
  const ids = throttleFields(driver);
  const readSlow = ids === undefined ? undefined : createFieldReader(nvml, device, [ids.hw, ids.brake]);
  const mask = Buffer.alloc(8);
  const SLOW = BigInt(CLOCK_REASON.hwThermal | CLOCK_REASON.powerBrake);
  let slow: ReadonlyMap<number, number> = new Map();
  let readAt = Number.NEGATIVE_INFINITY;
  let held = false;

  return (fields, now) => {
    if (readSlow !== undefined) {
      const holds = nvml.clockReasons?.(device, mask) === RC.success && (mask.readBigUInt64LE() & SLOW) !== 0n;
      if (holds || held || now - readAt >= SLOW_EVERY_SECONDS) {
        slow = readSlow();
        readAt = now;
      }
      held = holds;
    }
    const totals = {
      sw_power_cap: seconds(fields.get(FIELD.swPowerCapNs)),
      sync_boost: seconds(fields.get(FIELD.syncBoostNs)),
      sw_thermal: seconds(ids && fields.get(ids.sw)),
      hw_thermal: seconds(ids && slow.get(ids.hw)),
      hw_power_brake: seconds(ids && slow.get(ids.brake)),
    };
    return Object.fromEntries(Object.entries(totals).filter((entry): entry is [string, number] => entry[1] !== undefined));
  };
}
