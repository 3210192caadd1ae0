/**
 * Units as types. A bare number never crosses a module edge where it could be
 * mistaken for another unit; the brands exist at compile time only.
 */
declare const unit: unique symbol;
type Unit<Name extends string> = number & { readonly [unit]: Name };

/** A duration, or a point in time as Unix seconds. */
export type Seconds = Unit<"s">;
export type Bytes = Unit<"B">;
export type BytesPerSecond = Unit<"B/s">;
export type Tokens = Unit<"tok">;
export type TokensPerSecond = Unit<"tok/s">;

export const seconds = (value: number): Seconds => value as Seconds;
export const bytes = (value: number): Bytes => value as Bytes;
export const bytesPerSecond = (value: number): BytesPerSecond => value as BytesPerSecond;
export const tokens = (value: number): Tokens => value as Tokens;
export const tokensPerSecond = (value: number): TokensPerSecond => value as TokensPerSecond;
