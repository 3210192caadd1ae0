import { readFile } from "node:fs/promises";
import { replaceFile } from "./replace-file.ts";

/** What was learned, kept across restarts: one file, replaced atomically. */
export interface Checkpoint {
  readonly version: string;
  readonly policies: Readonly<Record<string, PolicyCheckpoint>>;
}

export interface PolicyCheckpoint {
  readonly controller: string;
  /** Digests of what was learned about (model, targets) and of the prior: other ones make the state worthless. */
  readonly subjectDigest: string;
  readonly priorDigest: string;
  readonly at: number;
  readonly state: unknown;
}

/** Undefined when there is none or it cannot be used; `problem` says why in the second case. */
export async function readCheckpoint(path: string): Promise<{ readonly checkpoint?: Checkpoint; readonly problem?: string }> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    return { problem: `${path}: ${error instanceof Error ? error.message : String(error)}` };
  }
  return parseCheckpoint(text, path);
}

/** `where` is what messages call it. */
export function parseCheckpoint(text: string, where: string): { readonly checkpoint?: Checkpoint; readonly problem?: string } {
  try {
    const value: unknown = JSON.parse(text);
    return isCheckpoint(value) ? { checkpoint: value } : { problem: `${where}: not a checkpoint` };
  } catch {
    return { problem: `${where}: not JSON` };
  }
}

/** Whether one written as `theirs` can be read as `ours` ("0.1.0 shape 3"): the same version, the same shape of what was learned or an earlier one. */
export function readable(theirs: string, ours: string): boolean {
  const [version, shape] = parts(ours);
  const [otherVersion, otherShape] = parts(theirs);
  return version === otherVersion && otherShape <= shape;
}

function parts(text: string): readonly [string, number] {
  const [version = "", shape = "1"] = text.split(" shape ");
  const number = Number(shape);
  return [version, Number.isInteger(number) && number >= 1 ? number : Infinity];
}

function isCheckpoint(value: unknown): value is Checkpoint {
  if (!isObject(value) || typeof value["version"] !== "string" || !isObject(value["policies"])) return false;
  return Object.values(value["policies"]).every(
    (p) =>
      isObject(p) &&
      typeof p["controller"] === "string" &&
      typeof p["subjectDigest"] === "string" &&
      typeof p["priorDigest"] === "string" &&
      typeof p["at"] === "number" &&
      isObject(p["state"]),
  );
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null;

export const writeCheckpoint = (path: string, checkpoint: Checkpoint): Promise<void> => replaceFile(path, JSON.stringify(checkpoint));
