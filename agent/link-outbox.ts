/** A report that waits for the scaler's acknowledgement, as it goes over the wire. */
export interface Parcel {
  readonly seq: number;
  readonly text: string;
}

export interface Outbox {
  /** Returns how many old reports had to leave unsent. */
  push(parcel: Parcel): number;
  /** Forgets everything up to `seq`; returns how many that were. */
  acknowledge(seq: number): number;
  all(): readonly Parcel[];
  size(): number;
}

/**
 * Reports in order, until acknowledged. Bounded by number and by size; the oldest leave first, because what the scaler
 * needs most after an outage is the present. The newest always stays, even alone above the size limit.
 */
export function createOutbox(maxReports: number, maxChars: number): Outbox {
  let parcels: Parcel[] = [];
  let chars = 0;
  return {
    push(parcel) {
      parcels.push(parcel);
      chars += parcel.text.length;
      let dropped = 0;
      while (parcels.length - dropped > 1 && (parcels.length - dropped > maxReports || chars > maxChars)) {
        chars -= parcels[dropped]?.text.length ?? 0;
        dropped++;
      }
      if (dropped > 0) parcels = parcels.slice(dropped);
      return dropped;
    },
    acknowledge(seq) {
      const kept = parcels.filter((p) => p.seq > seq);
      const gone = parcels.length - kept.length;
      parcels = kept;
      chars = kept.reduce((sum, p) => sum + p.text.length, 0);
      return gone;
    },
    all: () => parcels,
    size: () => parcels.length,
  };
}
