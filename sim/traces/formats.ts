/**
 * Header names (CSV) and keys (JSON lines) that are understood, lower case with `_` between words. `seconds` says what one unit
 * of the arrival column is; `date` columns hold a wall-clock time.
 */
export type ArrivalUnit = "seconds" | "millis" | "micros" | "nanos" | "date";

export const PER_SECOND: Readonly<Record<Exclude<ArrivalUnit, "date">, number>> = { seconds: 1, millis: 1e3, micros: 1e6, nanos: 1e9 };

export const ARRIVAL_NAMES: Readonly<Record<string, ArrivalUnit>> = {
  t_s: "seconds", // ServeGen draws and AIBrix ramps as published beside this project
  t: "seconds",
  time_s: "seconds",
  start_s: "seconds",
  arrival: "seconds",
  arrival_s: "seconds",
  arrival_time: "seconds",
  arrived_at: "seconds", // Vidur
  timestamp_s: "seconds",
  timestamp_ms: "millis",
  arrival_ms: "millis",
  datetime: "date",
};

export const INPUT_NAMES = [
  "isl",
  "input_tokens",
  "input_length",
  "prompt_tokens",
  "num_prefill_tokens",
  "contexttokens", // Azure
  "request_tokens", // BurstGPT
] as const;

export const OUTPUT_NAMES = [
  "osl",
  "output_tokens",
  "output_length",
  "completion_tokens",
  "num_decode_tokens",
  "generatedtokens", // Azure
  "response_tokens", // BurstGPT
] as const;

export const HASH_NAME = "hash_ids";

/**
 * `timestamp` means three things in public traces: a date (Azure), milliseconds (Mooncake, always with
 * input_length), seconds (BurstGPT). The columns beside it tell which.
 */
export function timestampUnit(names: readonly string[]): ArrivalUnit {
  if (names.includes("contexttokens")) return "date";
  return names.includes("input_length") ? "millis" : "seconds";
}

/** Seconds since 1970 reach these in the year 5138 and later: what is larger counts smaller units. */
const EPOCH_MILLIS = 1e11;
const EPOCH_MICROS = 1e14;
const EPOCH_NANOS = 1e17;

/** What the first row shows of a column said to hold seconds: a date, or a count since 1970 in a smaller unit. */
export function shownUnit(said: ArrivalUnit, first: unknown): ArrivalUnit {
  if (said !== "seconds") return said;
  if (typeof first === "string" && parseDate(first) !== undefined) return "date";
  const time = Number(first);
  if (time >= EPOCH_NANOS) return "nanos";
  if (time >= EPOCH_MICROS) return "micros";
  return time >= EPOCH_MILLIS ? "millis" : "seconds";
}

/** "2023-11-16 18:15:46.6805900", with or without a zone → Unix seconds; undefined when it is no date. */
export function parseDate(text: string): number | undefined {
  const match = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:?\d\d)?$/.exec(text);
  if (match === null) return undefined;
  const [, day, time, fraction = "", zone = "Z"] = match;
  const whole = Date.parse(`${day}T${time}${zone}`);
  return Number.isNaN(whole) ? undefined : whole / 1000 + Number(`0${fraction}`);
}
