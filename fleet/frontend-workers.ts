import type { PlantRole } from "../sim/plant/plant.types.ts";
import { rustNumber } from "./engine/number-text.ts";

/** One engine as the frontend's router knows it. */
export interface FrontendWorker {
  readonly id: number;
  readonly role: PlantRole;
  readonly requests: number;
  readonly decodeBlocks: number;
  readonly prefillTokens: number;
}

/** Instance ids are 64-bit lease ids in Dynamo; an offset makes ours look like them. */
const FIRST_ID = 7_587_890_000;

const FAMILIES = [
  {
    name: "dynamo_frontend_worker_active_decode_blocks",
    help: "Active decode blocks per worker",
    value: (worker: FrontendWorker) => worker.decodeBlocks,
  },
  {
    name: "dynamo_frontend_worker_active_prefill_tokens",
    help: "Active prefill tokens per worker",
    value: (worker: FrontendWorker) => worker.prefillTokens,
  },
] as const;

/**
 * Gauges per worker: their series come and go with the engines. The `last_*` gauges of the real page are
 * left out: a last value per worker is nothing anybody should decide on.
 */
export function renderWorkers(workers: readonly FrontendWorker[]): string {
  if (workers.length === 0) return "";
  return FAMILIES.map(({ name, help, value }) => {
    const lines = workers.map(
      (worker) => `${name}{dp_rank="0",worker_id="${FIRST_ID + worker.id}",worker_type="${worker.role}"} ${rustNumber(value(worker))}\n`,
    );
    return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines.join("")}`;
  }).join("");
}
