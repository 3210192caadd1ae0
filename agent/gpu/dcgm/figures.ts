import { clockEvents } from "../../../core/engines/gpu-clocks.ts";
import type { GpuFigure, GpuReading, RemappedRows } from "../reading.ts";
import { ECC_FIELDS, FIELD, type FigureField, THROTTLE_FIELDS } from "./fields.ts";
import type { Entity, Values } from "./values.ts";

/** A number that is there and not older than the others: a part of the host engine may stand still while the rest goes on. */
export type NumberOf = (entity: Entity, field: number) => number | undefined;

export const numbers =
  (values: Values, notBefore: number): NumberOf =>
  (entity, field) => {
    const found = values.of(entity, field);
    return typeof found?.value === "number" && found.ts >= notBefore ? found.value : undefined;
  };

/** Figures in base units. */
export function figuresOf(entity: Entity, fields: readonly FigureField[], of: NumberOf): Partial<Record<GpuFigure, number>> {
  const figures: Partial<Record<GpuFigure, number>> = {};
  for (const { id, name, scale } of fields) {
    const value = of(entity, id);
    // Boards without a sensor of their memory's temperature answer 0.
    if (value === undefined || value < 0 || (name === "memoryTemperatureCelsius" && value === 0)) continue;
    figures[name] = value * scale;
  }
  return figures;
}

/** Times where the release has them, else the reasons in force. */
export function throttleOf(entity: Entity, of: NumberOf): Pick<GpuReading, "throttleSecondsByReason" | "throttling"> {
  const times = named(THROTTLE_FIELDS, entity, of, 1e-9);
  const mask = of(entity, FIELD.clockReasons);
  return {
    throttleSecondsByReason: times,
    ...(Object.keys(times).length === 0 && mask !== undefined && { throttling: clockEvents(mask) }),
  };
}

export const eccOf = (entity: Entity, of: NumberOf): Record<string, number> => named(ECC_FIELDS, entity, of, 1);

function named(fields: ReadonlyMap<number, string>, entity: Entity, of: NumberOf, scale: number): Record<string, number> {
  const out: Record<string, number> = {};
  for (const [field, name] of fields) {
    const value = of(entity, field);
    if (value !== undefined) out[name] = value * scale;
  }
  return out;
}

export function rowsOf(entity: Entity, of: NumberOf): RemappedRows | undefined {
  const [correctable, uncorrectable] = [of(entity, FIELD.remappedCorrectable), of(entity, FIELD.remappedUncorrectable)];
  const [pending, failed] = [of(entity, FIELD.remapPending), of(entity, FIELD.remapFailed)];
  const rows: RemappedRows = {
    ...(correctable !== undefined && { correctable }),
    ...(uncorrectable !== undefined && { uncorrectable }),
    ...(pending !== undefined && { pending: pending !== 0 }),
    ...(failed !== undefined && { failed: failed !== 0 }),
  };
  return Object.keys(rows).length === 0 ? undefined : rows;
}
