/**
 * Why a GPU's clocks are held down, as dcgm-exporter shows it: as time per reason, or as a bitmask of the reasons
 * in force right now. Neither is in the exporter's default CSV. Reasons overlap: hw_slowdown is set
 * beside hw_thermal and hw_power_brake.
 */

/** Cumulative nanoseconds below the requested clock, by reason. */
export const THROTTLE_SERIES: ReadonlyMap<string, string> = new Map([
  ["DCGM_FI_DEV_CLOCKS_EVENT_REASON_SW_POWER_CAP_NS", "sw_power_cap"],
  ["DCGM_FI_DEV_CLOCKS_EVENT_REASON_SYNC_BOOST_NS", "sync_boost"],
  ["DCGM_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN_NS", "sw_thermal"],
  ["DCGM_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN_NS", "hw_thermal"],
  ["DCGM_FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN_NS", "hw_power_brake"],
]);

/** DCGM 3.3 renamed the field; the exporter prints the name its CSV has. */
export const CLOCK_EVENTS_SERIES: readonly string[] = ["DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", "DCGM_FI_DEV_CLOCKS_EVENT_REASONS"];

/**
 * Bits of nvmlClocksEventReasons. Left out, because nothing holds the clocks of a working GPU down there: 0x1 idle, 0x2 a clock that
 * an operator set, 0x100 display.
 */
const CLOCK_EVENT_BITS: readonly (readonly [bit: number, reason: string])[] = [
  [0x4, "sw_power_cap"],
  [0x8, "hw_slowdown"],
  [0x10, "sync_boost"],
  [0x20, "sw_thermal"],
  [0x40, "hw_thermal"],
  [0x80, "hw_power_brake"],
];

/** Every reason that the bitmask can tell, true while in force. */
export function clockEvents(mask: number): Readonly<Record<string, boolean>> {
  const set = (bit: number): boolean => Math.floor(mask / bit) % 2 === 1;
  return Object.fromEntries(CLOCK_EVENT_BITS.map(([bit, reason]) => [reason, set(bit)]));
}
