import type { GpuDetail } from "../summarize/gpus.ts";
import type { GpuReading, MigInstance } from "./reading.ts";

/** A reading in the terms every GPU reader shares. */
export function toSample({ index, uuid, figures, processes, remappedRows, mig, instance, ...rest }: GpuReading): GpuDetail {
  const podUids = [...new Set(processes?.map((p) => p.podUid).filter((uid) => uid !== undefined))];
  return {
    gpu: instance === undefined ? String(index) : `${index}/${instance.id}`,
    uuid,
    ...figures,
    throttleSecondsByReason: rest.throttleSecondsByReason,
    ...(rest.throttling !== undefined && { throttling: rest.throttling }),
    eccErrors: rest.eccErrors,
    xidEvents: rest.xid,
    podUids,
    ...(remappedRows !== undefined && { remappedRows }),
    ...(mig !== undefined && { mig }),
    ...(instance !== undefined && { instance: partOf(instance) }),
  };
}

/** The id is in the name already. */
const partOf = ({ id: _, ...part }: MigInstance): NonNullable<GpuDetail["instance"]> => part;
