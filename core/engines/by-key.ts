/** Remembers whether anything was turned away for want of room. */
export interface Room {
  turnAway(): void;
  /** Since it was last asked. */
  turnedAway(): boolean;
}

export function createRoom(): Room {
  let away = false;
  return {
    turnAway: () => void (away = true),
    turnedAway() {
      const since = away;
      away = false;
      return since;
    },
  };
}

/** Things by key, made when first asked for. */
export interface ByKey<T> {
  /** Undefined when there is no room for another. */
  at(key: string): T | undefined;
  /** In the order of their keys and not of their coming: sums of floating-point numbers depend on the order, and must not on the past. */
  readonly inOrder: Iterable<T>;
}

export function createByKey<T>(limit: number, make: () => T, room: Room): ByKey<T> {
  const known = new Map<string, T>();
  const keys: string[] = [];
  const inOrder: T[] = [];
  return {
    at(key) {
      const found = known.get(key);
      if (found !== undefined) return found;
      if (known.size >= limit) {
        room.turnAway();
        return undefined;
      }
      const made = make();
      known.set(key, made);
      let at = keys.length;
      while (at > 0 && (keys[at - 1] ?? "") > key) at--;
      keys.splice(at, 0, key);
      inOrder.splice(at, 0, made);
      return made;
    },
    inOrder,
  };
}
