/** Plant seconds and wall time. Monotone: a stepped system clock does not move the plant. */
export interface FleetClock {
  /** Seconds since the plant's start. */
  now(): number;
  /** Unix seconds of a plant time. */
  wall(plantSeconds: number): number;
}

export function startClock(): FleetClock {
  const origin = performance.now();
  const epoch = (performance.timeOrigin + origin) / 1000;
  return {
    now: () => (performance.now() - origin) / 1000,
    wall: (plantSeconds) => epoch + plantSeconds,
  };
}
