import { ALL_POLICIES, expired, type ModeOverride, type Overrides } from "../../core/override.ts";
import { err, ok, type Result } from "../../core/result.ts";

/** What operators have said, as it is kept: on disk, or in a ConfigMap that all scalers share. */
export interface OverrideDocument {
  readonly format: 1;
  /** Of the last change. */
  readonly seq: number;
  readonly overrides: Overrides;
  /** The last changes, oldest first. */
  readonly changes: readonly OverrideChange[];
}

export interface OverrideChange {
  readonly seq: number;
  /** Unix seconds. */
  readonly at: number;
  /** `namespace/name`, or `*` for all policies. */
  readonly name: string;
  /** The name of the token that was presented. */
  readonly by: string;
  /** null = lifted. */
  readonly mode: ModeOverride["mode"] | null;
  readonly reason?: string;
  readonly until?: number;
}

/** What is asked for; the number comes with the writing. */
export type OverrideEdit = Omit<OverrideChange, "seq">;

export const emptyDocument: OverrideDocument = { format: 1, seq: 0, overrides: {}, changes: [] };

const MAX_CHANGES = 50;
/** Far more than policies that one scaler runs, and far less than a ConfigMap holds. */
const MAX_OVERRIDES = 500;

/** The document after an edit, without what has expired by then. An error says why it is not taken. */
export function edited(before: OverrideDocument, edit: OverrideEdit): Result<OverrideDocument, string> {
  const { name, mode, by, at, reason, until } = edit;
  const kept = Object.entries(before.overrides).filter(([other, o]) => other !== name && !expired(o, at));
  if (mode !== null && kept.length >= MAX_OVERRIDES)
    return err(`${MAX_OVERRIDES} policies have an override already; lift some, or override all policies at once`);
  const more = { ...(reason === undefined ? {} : { reason }), ...(until === undefined ? {} : { until }) };
  const now: readonly [string, ModeOverride][] = mode === null ? [] : [[name, { mode, by, at, ...more }]];
  const change: OverrideChange = { seq: before.seq + 1, at, name, by, mode, ...more };
  return ok({
    format: 1,
    seq: change.seq,
    overrides: Object.fromEntries([...kept, ...now]),
    changes: [...before.changes, change].slice(-MAX_CHANGES),
  });
}

/** Undefined when it is not one: it may have been edited by hand. */
export function parseDocument(text: string): OverrideDocument | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isDocument(value) ? value : undefined;
}

function isDocument(value: unknown): value is OverrideDocument {
  if (!isObject(value) || value["format"] !== 1 || !Number.isInteger(value["seq"]) || !isObject(value["overrides"])) return false;
  const names = Object.keys(value["overrides"]);
  if (names.length > MAX_OVERRIDES || !names.every((name) => name === ALL_POLICIES || name.includes("/"))) return false;
  const { changes } = value;
  return (
    Object.values(value["overrides"]).every(isOverride) &&
    Array.isArray(changes) &&
    changes.length <= MAX_CHANGES &&
    changes.every(isChange)
  );
}

const isOverride = (value: unknown): boolean => isNote(value) && (value["mode"] === "observe" || value["mode"] === "paused");

const isChange = (value: unknown): boolean =>
  isNote(value) && typeof value["seq"] === "number" && typeof value["name"] === "string" && (value["mode"] === null || isOverride(value));

const isNote = (value: unknown): value is Readonly<Record<string, unknown>> =>
  isObject(value) &&
  typeof value["by"] === "string" &&
  typeof value["at"] === "number" &&
  ["undefined", "number"].includes(typeof value["until"]) &&
  ["undefined", "string"].includes(typeof value["reason"]);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
