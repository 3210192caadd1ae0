import { PROFILING_MENDS, STATUS, statusName } from "./fields.ts";
import type { Entity, Values } from "./values.ts";
import type { Watch } from "./watch.ts";

/** Why there are no profiling counters of a GPU, with the mend; undefined while there are some. */
export function profilingProblem(entity: Entity, { fields, refused }: Watch, values: Values): string | undefined {
  const found = fields.map((field) => values.of(entity, field));
  if (found.some((v) => v?.value !== undefined)) return undefined;
  const [status] = fields.length === 0 ? refused.values() : found.map((v) => v?.status ?? STATUS.noData).filter((s) => s !== STATUS.ok);
  if (status !== undefined) {
    const mend = PROFILING_MENDS[status];
    return `profiling: ${statusName(status)}${mend === undefined ? "" : `; ${mend}`}`;
  }
  // Values that are there and blank.
  return "profiling: all counters are blank; it is paused (dcgmi profile --resume) or another program profiles this GPU";
}
