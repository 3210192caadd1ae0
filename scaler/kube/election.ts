/**
 * Leader election on a Lease as a pure state machine: what to do next, given what was seen and when. No clock: `now` is seconds of
 * a clock that never jumps (not the wall clock). Times of other machines are never compared with ours: a lease has run out when we
 * have seen the same version of it for its whole duration. All it assumes is that clocks run equally fast, within `MARGIN`.
 */
export interface LeaseRecord {
  /** Empty: given back. */
  readonly holder: string;
  /** Seconds. */
  readonly duration: number;
  readonly transitions: number;
}

export interface Election {
  readonly me: string;
  readonly duration: number;
  /** The newest version that was read, and since when it has been known. Null record = there is no lease. */
  readonly seen: { readonly version: string | null; readonly record: LeaseRecord | null; readonly since: number } | null;
  /** Nobody else can hold the lease before this time. */
  readonly heldUntil: number;
  /** A write to a target that was begun is over at this time: carried out, or given up by both ends. */
  readonly busyUntil: number;
}

export type Step =
  | { readonly kind: "create"; readonly record: LeaseRecord }
  | { readonly kind: "update"; readonly record: LeaseRecord; readonly version: string }
  | { readonly kind: "wait" };

/** Share of the duration by which a lease must have outlived itself before it is taken: for clocks that run apart. */
export const MARGIN = 0.1;

export const startElection = (me: string, duration: number): Election => ({
  me,
  duration,
  seen: null,
  heldUntil: Number.NEGATIVE_INFINITY,
  busyUntil: Number.NEGATIVE_INFINITY,
});

/** What a read brought, at the time it was answered. A holder who is not us ends our lead, however long we thought it lasts. */
export function observed(state: Election, version: string | null, record: LeaseRecord | null, now: number): Election {
  const heldUntil = record?.holder === state.me ? state.heldUntil : Number.NEGATIVE_INFINITY;
  if (state.seen !== null && state.seen.version === version) return { ...state, heldUntil };
  return { ...state, heldUntil, seen: { version, record, since: now } };
}

/** What to write now, from the newest read. */
export function nextStep({ me, duration, seen }: Election, now: number): Step {
  if (seen === null) return { kind: "wait" };
  const { version, record, since } = seen;
  if (version === null || record === null) return { kind: "create", record: { holder: me, duration, transitions: 0 } };
  if (record.holder === me) return { kind: "update", version, record: { ...record, duration } };
  const over = record.holder === "" || now >= since + record.duration * (1 + MARGIN);
  if (!over) return { kind: "wait" };
  return { kind: "update", version, record: { holder: me, duration, transitions: record.transitions + 1 } };
}

/** Our write went through. The lead counts from when it was sent: others count from when they see it, which is later. */
export function written(state: Election, version: string, record: LeaseRecord, sentAt: number, now: number): Election {
  const heldUntil = record.holder === state.me ? sentAt + record.duration : Number.NEGATIVE_INFINITY;
  return { ...state, heldUntil, seen: { version, record, since: now } };
}

/** A write to a target begins now. */
export const acting = (state: Election, now: number, needs: number): Election => ({
  ...state,
  busyUntil: Math.max(state.busyUntil, now + needs),
});

/**
 * Gives the lease back; from here on nothing may be done. While a write may still be under way (aborted here, it can yet arrive) the
 * lease is only shortened to the time that write has left.
 */
export function resign(state: Election, now: number): { readonly state: Election; readonly step: Step } {
  const resigned = { ...state, heldUntil: Number.NEGATIVE_INFINITY };
  const { seen, me, busyUntil } = state;
  if (seen === null || seen.version === null || seen.record?.holder !== me) return { state: resigned, step: { kind: "wait" } };
  const left = Math.ceil(busyUntil - now);
  const record = left > 0 ? { ...seen.record, duration: left } : { ...seen.record, holder: "", duration: 1 };
  return { state: resigned, step: { kind: "update", version: seen.version, record } };
}

/** Whether something begun now, over in at most `needs` seconds, is over while we still lead. */
export const leads = ({ heldUntil }: Election, now: number, needs: number): boolean => now + needs < heldUntil;
