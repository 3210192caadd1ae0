/** What is known of a replica that could be the one to go. */
export interface Candidate {
  readonly pod: string;
  /** Seconds since it was created. */
  readonly age: number;
  /** A GPU of it has told an error that asks for a reset or a repair. */
  readonly faulty: boolean;
  /** A GPU of it is held back by heat or power. */
  readonly throttled: boolean;
  /** Requests it runs; undefined = nobody says. */
  readonly running: number | undefined;
}

/**
 * The replicas in the order in which they should go: faulty, throttled, youngest, least loaded. Ages count by their order of
 * magnitude (as in the ReplicaSet controller), since of two equally old replicas the one with less to do is the cheaper loss. A load
 * nobody knows is not taken for none.
 */
export const rankVictims = (candidates: readonly Candidate[]): readonly Candidate[] =>
  candidates.toSorted(
    (a, b) =>
      Number(b.faulty) - Number(a.faulty) ||
      Number(b.throttled) - Number(a.throttled) ||
      magnitude(a.age) - magnitude(b.age) ||
      order(a.running ?? Number.POSITIVE_INFINITY, b.running ?? Number.POSITIVE_INFINITY) ||
      a.age - b.age ||
      (a.pod < b.pod ? -1 : a.pod > b.pod ? 1 : 0),
  );

/** Infinite loads are equal, and their difference is no number. */
const order = (a: number, b: number): number => (a === b ? 0 : a < b ? -1 : 1);

const magnitude = (age: number): number => Math.floor(Math.log2(Math.max(1, age)));
