/** What one received request becomes on its way downstream. */
export interface Parcel {
  readonly body: Buffer;
  readonly contentType: string;
  readonly contentEncoding?: string;
  readonly spans: number;
  /** Seconds, monotonic: when it came in. */
  readonly since: number;
}

export interface ForwardQueue {
  /** Returns the parcels that had to leave. */
  push(parcel: Parcel): readonly Parcel[];
  /** Back to the front, for another attempt; returns what had to leave, which may be this one. */
  putBack(parcel: Parcel): readonly Parcel[];
  shift(): Parcel | undefined;
  bytes(): number;
  size(): number;
  clear(): readonly Parcel[];
}

/** What a parcel costs beside its body; without it, a flood of empty requests would not fill the queue. */
const OVERHEAD = 512;

const cost = (parcel: Parcel): number => parcel.body.length + OVERHEAD;

/** First in, first out, bounded by bytes; the oldest leave first, as in the report outbox. */
export function createForwardQueue(maxBytes: number): ForwardQueue {
  let parcels: Parcel[] = [];
  let head = 0;
  let bytes = 0;

  const take = (): Parcel | undefined => {
    const parcel = parcels[head];
    if (parcel === undefined) return undefined;
    head++;
    bytes -= cost(parcel);
    // Shifting an array of thousands for each of them would be quadratic.
    if (head > 1024 && head * 2 > parcels.length) {
      parcels = parcels.slice(head);
      head = 0;
    }
    return parcel;
  };
  const trim = (): Parcel[] => {
    const gone: Parcel[] = [];
    while (bytes > maxBytes) {
      const parcel = take();
      if (parcel === undefined) break;
      gone.push(parcel);
    }
    return gone;
  };

  return {
    push(parcel) {
      parcels.push(parcel);
      bytes += cost(parcel);
      return trim();
    },
    putBack(parcel) {
      parcels = [parcel, ...parcels.slice(head)];
      head = 0;
      bytes += cost(parcel);
      return trim();
    },
    shift: take,
    bytes: () => bytes,
    size: () => parcels.length - head,
    clear() {
      const gone = parcels.slice(head);
      parcels = [];
      head = bytes = 0;
      return gone;
    },
  };
}
