import { InvalidArgumentError } from "commander";
import { parseDuration } from "../core/duration.ts";

/** Argument parsers for commander: what they refuse ends the command with exit 2 and the sentence here. */
export function duration(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? undefined : parseDuration(text);
  if (seconds === undefined) throw new InvalidArgumentError("Write a number with a unit, for example 500ms, 90s, 5m or 1h30m.");
  return seconds;
}

export function positiveDuration(text: string): number {
  const seconds = duration(text);
  if (seconds <= 0) throw new InvalidArgumentError("Must be more than zero, for example 90s or 5m.");
  return seconds;
}

export function positive(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value <= 0) throw new InvalidArgumentError("Write a number above zero.");
  return value;
}

export function share(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value < 1))
    throw new InvalidArgumentError("Write a share from 0 to below 1, for example 0.05.");
  return value;
}

/** Tokens per step and tokens of queue, for example 256/8000. */
export function localPrefill(text: string): { chunkTokens: number; queueTokens: number } {
  const [, chunk, queue] = /^(\d{1,6})\/(\d{1,9})$/.exec(text) ?? [];
  const [chunkTokens, queueTokens] = [Number(chunk), Number(queue)];
  if (!(chunkTokens >= 1 && queueTokens >= 0)) {
    throw new InvalidArgumentError("Write tokens per step and tokens queued at prefill, for example 256/8000.");
  }
  return { chunkTokens, queueTokens };
}

export function count(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > 100_000) throw new InvalidArgumentError("Write a whole number, 1 or more.");
  return value;
}

export function port(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > 65_535) throw new InvalidArgumentError("Write a port number from 1 to 65535.");
  return value;
}

export function seed(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new InvalidArgumentError("Write a whole number, 0 or more.");
  return value;
}

/** An option that may be given more than once. */
export const collect = (text: string, before: readonly string[]): readonly string[] => [...before, text];

export const list = (text: string): readonly string[] =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
