import type { GpuDetail } from "../summarize/gpus.ts";
import type { GpuReading } from "./reading.ts";

/** NVML's reading in the terms every GPU reader shares. */
export function toSample({ index, uuid, figures, processes, remappedRows, mig, ...rest }: GpuReading): GpuDetail {
  const podUids = [...new Set(processes?.map((p) => p.podUid).filter((uid) => uid !== undefined))];
  return {
    gpu: String(index),
    uuid,
    ...figures,
    throttleSecondsByReason: rest.throttleSecondsByReason,
    eccErrors: rest.eccErrors,
    xidEvents: rest.xid,
    podUids,
    ...(remappedRows !== undefined && { remappedRows }),
    ...(mig !== undefined && { mig }),
  };
}
