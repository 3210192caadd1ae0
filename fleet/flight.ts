import type { RequestRecord, PlantRequest } from "../sim/plant/plant.types.ts";
import type { Leg, ServingEngine } from "./engine/messages.ts";
import type { FleetClock } from "./clock.ts";
import type { RequestIds } from "./trace-ids.ts";

/** What the fleet remembers of a request in flight, to write both halves of it. Plant seconds. */
export interface Flight {
  readonly request: PlantRequest;
  readonly ids: RequestIds;
  /** The last prefill that ended; undefined while one is to come. */
  prefill: PrefillStay | undefined;
  /** KV computed and not yet sent. */
  sending: boolean;
  /** Decode replica that gave the first token. */
  decodeReplica: number | undefined;
}

export interface PrefillStay {
  readonly replica: number;
  readonly arrival: number;
  readonly scheduled: number;
  readonly end: number;
  readonly cachedTokens: number;
}

export const newFlight = (request: PlantRequest, ids: RequestIds): Flight => ({
  request,
  ids,
  prefill: undefined,
  sending: false,
  decodeReplica: undefined,
});

/** KV hand-offs under way or waiting, per prefill replica. */
export function sendingByReplica(flights: Iterable<Flight>): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const { sending, prefill } of flights) {
    if (sending && prefill !== undefined) counts.set(prefill.replica, (counts.get(prefill.replica) ?? 0) + 1);
  }
  return counts;
}

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));

/** The prefill engine's half, in Unix seconds. SGLang's ends when the KV has been sent, vLLM's with the first token. */
export function prefillLeg(flight: Flight, clock: FleetClock, transfer: { readonly start: number; readonly end: number } | undefined): Leg {
  const { request, ids } = flight;
  const { arrival, scheduled, end, cachedTokens } = flight.prefill ?? { arrival: 0, scheduled: 0, end: 0, cachedTokens: 0 };
  return {
    ...ids,
    arrival: clock.wall(arrival),
    scheduled: clock.wall(scheduled),
    firstToken: clock.wall(end),
    end: clock.wall(transfer?.end ?? end),
    transferStart: clock.wall(transfer?.start ?? end),
    transferEnd: clock.wall(transfer?.end ?? end),
    inputTokens: request.inputTokens,
    cachedTokens: Math.min(cachedTokens, request.inputTokens),
    outputTokens: 1,
  };
}

/** When the decode engine got the request: the vLLM proxy posts after prefill answered, the SGLang router posts to both at once. */
export function decodeArrival(flight: Flight, engine: ServingEngine): number {
  return engine === "vllm" ? (flight.prefill?.end ?? flight.request.arrival) : flight.request.arrival;
}

/** The decode engine's half. A preempted request has later stays: the order of times is kept by clamping to its first token. */
export function decodeLeg(flight: Flight, record: RequestRecord, clock: FleetClock, engine: ServingEngine): Leg {
  const { request, ids } = flight;
  const first = record.firstToken;
  const arrival = Math.min(decodeArrival(flight, engine), first);
  const transferStart = clamp(record.transferStart, arrival, first);
  const transferEnd = clamp(record.transferEnd, transferStart, first);
  return {
    ...ids,
    arrival: clock.wall(arrival),
    scheduled: clock.wall(clamp(record.decodeStart, transferEnd, first)),
    firstToken: clock.wall(first),
    end: clock.wall(record.end),
    transferStart: clock.wall(transferStart),
    transferEnd: clock.wall(transferEnd),
    inputTokens: request.inputTokens,
    cachedTokens: Math.min(record.cachedTokens, request.inputTokens),
    outputTokens: request.outputTokens,
  };
}
