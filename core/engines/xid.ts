/**
 * XIDs that mean a faulty GPU and not a faulty program, the ones operators act on (NVIDIA's XID catalog): 48, 63, 64, 92, 94, 95 memory,
 * 74 NVLink, 79 fell off the bus, 119 and 120 the GPU's system processor. Their counters start at 0, so that the first event is
 * an increase; the series of any other XID appears with its first event.
 */
export const FAULT_XIDS = [48, 63, 64, 74, 79, 92, 94, 95, 119, 120] as const;
