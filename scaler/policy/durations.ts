import { parseDuration } from "../../core/duration.ts";
import type { Path } from "./problem.ts";
import type { Policy } from "./schema.ts";

/** Where a policy holds durations and shares: a number in memory, a string with its unit in a file. */
export function durationPaths(policy: Policy): readonly Path[] {
  const { spec } = policy;
  return [
    ...(spec.objectives.ttft ? [["spec", "objectives", "ttft", "target"]] : []),
    ...(spec.objectives.itl ? [["spec", "objectives", "itl", "target"]] : []),
    ["spec", "pools", "prefill", "leadTime"],
    ["spec", "pools", "decode", "leadTime"],
    ["spec", "behavior", "interval"],
    ...(["scaleUp", "scaleDown"] as const).flatMap((direction) => [
      ["spec", "behavior", direction, "stabilization"],
      ["spec", "behavior", direction, "cooldown"],
    ]),
    ["spec", "behavior", "evidence", "maxAge"],
    ...spec.schedule.map((_, index) => ["spec", "schedule", index, "for"]),
  ];
}

export const SHARE_PATHS: readonly Path[] = [
  ["spec", "behavior", "scaleUp", "step"],
  ["spec", "behavior", "scaleDown", "step"],
];

/** The largest unit that divides it; a value that no unit writes exactly stays a number of seconds. */
export function formatDuration(value: number): string | number {
  const unit = value === 0 ? "s" : value % 86400 === 0 ? "d" : value % 3600 === 0 ? "h" : value % 60 === 0 ? "m" : value >= 1 ? "s" : "ms";
  const size = { d: 86400, h: 3600, m: 60, s: 1, ms: 0.001 }[unit];
  const text = `${Number((value / size).toPrecision(12))}${unit}`;
  return parseDuration(text) === value ? text : value;
}

export function formatShare(value: number): string | number {
  const text = Number((value * 100).toPrecision(12));
  return text / 100 === value && !String(text).includes("e") ? `${text}%` : value;
}

export function readAt(value: unknown, path: Path): unknown {
  let node = value;
  for (const key of path) node = typeof node === "object" && node !== null ? (node as Record<string | number, unknown>)[key] : undefined;
  return node;
}
