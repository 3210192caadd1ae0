import { mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";

/** What was learned, kept across restarts: one file, replaced atomically. */
export interface Checkpoint {
  readonly version: string;
  readonly policies: Readonly<Record<string, PolicyCheckpoint>>;
}

export interface PolicyCheckpoint {
  readonly controller: string;
  /** Digests of the policy's spec and of the prior: other ones make the state worthless. */
  readonly policyDigest: string;
  readonly priorDigest: string;
  readonly at: number;
  readonly state: unknown;
}

const schema = z.object({
  version: z.string(),
  policies: z.record(
    z.string(),
    z.object({
      controller: z.string(),
      policyDigest: z.string(),
      priorDigest: z.string(),
      at: z.number(),
      state: z.looseObject({}),
    }),
  ),
});

/** Undefined when there is none or it cannot be used; `problem` says why in the second case. */
export async function readCheckpoint(path: string): Promise<{ readonly checkpoint?: Checkpoint; readonly problem?: string }> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    return { problem: `${path}: ${error instanceof Error ? error.message : String(error)}` };
  }
  try {
    const parsed = schema.safeParse(JSON.parse(text));
    return parsed.success ? { checkpoint: parsed.data } : { problem: `${path}: not a checkpoint` };
  } catch {
    return { problem: `${path}: not JSON` };
  }
}

/** Written beside, flushed, then renamed over: a reader sees the old one or the new one, whole. */
export async function writeCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const beside = `${path}.tmp`;
  const file = await open(beside, "w");
  try {
    await file.writeFile(JSON.stringify(checkpoint));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(beside, path);
}
