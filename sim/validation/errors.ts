import { fitProfile } from "../../core/profile-fit.ts";
import type { Profile } from "../../core/profile.ts";
import { createRandom } from "../random.ts";
import { decodeStepSeconds, prefillPassSeconds } from "./measure.ts";

/** Relative errors of the plant against measured points, as shares (0.02 is 2 %). */
export interface ErrorSummary {
  readonly points: number;
  /** Median of the signed errors: above zero the plant is too slow. */
  readonly bias: number;
  readonly median: number;
  readonly p90: number;
  readonly max: number;
  /** Where the largest error is. */
  readonly worst: string;
}

export interface Validation {
  readonly prefill: ErrorSummary;
  readonly decode: ErrorSummary;
  /** Each point predicted by a fit that had not seen it. */
  readonly heldOut: { readonly prefill: ErrorSummary; readonly decode: ErrorSummary };
}

interface Compared {
  readonly error: number;
  readonly point: string;
}

/**
 * Replays every measured point of the profiles through the plant, which has only the three-coefficient models fitted to each
 * one's tables. The errors of all profiles are summed up together.
 */
export function validate(profiles: readonly Profile[]): Validation {
  const folds = profiles.flatMap((profile) => splits(profile));
  return {
    prefill: summarizeErrors(profiles.flatMap((profile) => comparePrefill(profile, profile))),
    decode: summarizeErrors(profiles.flatMap((profile) => compareDecode(profile, profile))),
    heldOut: {
      prefill: summarizeErrors(folds.flatMap(({ seen, asked }) => comparePrefill(seen, asked))),
      decode: summarizeErrors(folds.flatMap(({ seen, asked }) => compareDecode(seen, asked))),
    },
  };
}

const FOLDS = 5;

/** Every row is asked once, by a fit to the others' four fifths. The shortest row is always seen: nothing else tells the floor. */
function splits(profile: Profile): { seen: Profile; asked: Profile }[] {
  const prefill = parts(profile.prefill);
  const decode = parts(profile.decode);
  return Array.from({ length: FOLDS }, (_, fold) => ({
    seen: { ...profile, prefill: prefill.seen(fold), decode: decode.seen(fold) },
    asked: { ...profile, prefill: prefill.asked(fold), decode: decode.asked(fold) },
  }));
}

/** Folds are drawn, not counted off: tables are grids, and every fifth row of one can be all there is of a length. */
function parts<T extends { readonly ms: number }>(table: readonly T[]): { seen(fold: number): T[]; asked(fold: number): T[] } {
  const random = createRandom(1);
  const shortest = Math.min(...table.map(({ ms }) => ms));
  const order = table
    .filter(({ ms }) => ms > shortest)
    .map((row) => ({ row, draw: random() }))
    .toSorted((a, b) => a.draw - b.draw);
  const foldOf = new Map(order.map(({ row }, rank) => [row, rank % FOLDS]));
  return {
    seen: (fold) => table.filter((row) => foldOf.get(row) !== fold),
    asked: (fold) => table.filter((row) => foldOf.get(row) === fold),
  };
}

function comparePrefill(seen: Profile, asked: Profile): Compared[] {
  const models = fitProfile(seen);
  return asked.prefill.flatMap(({ tokens, batch, ms }) =>
    compare(prefillPassSeconds(models, tokens, batch), ms, `${batch} × ${tokens} tokens`),
  );
}

function compareDecode(seen: Profile, asked: Profile): Compared[] {
  const models = fitProfile(seen);
  return asked.decode.flatMap(({ batch, ctx, ms }) => compare(decodeStepSeconds(models, batch, ctx), ms, `${batch} × ${ctx} tokens`));
}

/** A point the plant could not be brought to is no error of 0: it fails. */
function compare(seconds: number | undefined, ms: number, point: string): Compared[] {
  if (seconds === undefined) throw new Error(`the plant never did ${point}`);
  return [{ error: (seconds * 1000) / ms - 1, point }];
}

function summarizeErrors(all: readonly Compared[]): ErrorSummary {
  const signed = all.map(({ error }) => error).toSorted((a, b) => a - b);
  const sizes = all.toSorted((a, b) => Math.abs(a.error) - Math.abs(b.error));
  const at = (q: number): number => Math.abs(sizes[Math.max(0, Math.ceil(q * sizes.length) - 1)]?.error ?? Number.NaN);
  return {
    points: all.length,
    bias: signed[Math.max(0, Math.ceil(signed.length / 2) - 1)] ?? Number.NaN,
    median: at(0.5),
    p90: at(0.9),
    max: at(1),
    worst: sizes.at(-1)?.point ?? "",
  };
}
