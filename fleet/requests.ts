import type { PlantRequest } from "../sim/plant/plant.types.ts";
import type { Trace } from "../sim/traces/trace.types.ts";

/** The requests of a trace, in order of arrival; with `repeat` it begins anew where it ends, for ever. */
export interface Requests {
  /** The one of that index; undefined = there are no more. */
  at(index: number): PlantRequest | undefined;
}

export function createRequests({ requests, seconds }: Trace, repeat: boolean): Requests {
  const ids = requests.reduce((most, { id }) => Math.max(most, id), -1) + 1;
  return {
    at(index) {
      const round = repeat && requests.length > 0 ? Math.floor(index / requests.length) : 0;
      const one = requests[index - round * requests.length];
      return one === undefined || round === 0 ? one : { ...one, id: one.id + round * ids, arrival: one.arrival + round * seconds };
    },
  };
}
