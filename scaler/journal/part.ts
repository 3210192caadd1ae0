import { createHash } from "node:crypto";
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileName, journalNumbers, numberOf } from "./files.ts";

export interface JournalFile {
  readonly name: string;
  readonly bytes: number;
}

/** A journal's files, oldest first. */
export async function listJournal(directory: string): Promise<readonly JournalFile[]> {
  const files: JournalFile[] = [];
  for (const number of await journalNumbers(directory)) {
    const name = fileName(number);
    const found = await stat(join(directory, name)).catch(() => undefined);
    if (found !== undefined) files.push({ name, bytes: found.size });
  }
  return files;
}

export type Part =
  | { readonly kind: "lines"; readonly bytes: Buffer }
  /** There is no such file: it has left, or never was. */
  | { readonly kind: "none" }
  /** What lies before `from` is not what the asker has. */
  | { readonly kind: "other" };

const CHUNK = 1024 * 1024;
/** A line longer than this is none of ours. */
const LONGEST = 64 * CHUNK;

/**
 * Whole lines of a journal file from byte `from` on, about 1 MiB of them at most; none where the next line is still being written, or was
 * torn for good. With `digest`, the SHA-256 of everything before `from`, only where that is the same here.
 */
export async function readPart(directory: string, name: string, from: number, digest: string | undefined): Promise<Part> {
  if (numberOf(name) === undefined) return { kind: "none" };
  const file = await open(join(directory, name), "r").catch(() => undefined);
  if (file === undefined) return { kind: "none" };
  try {
    if (digest !== undefined && digest !== (await digestOf(file, from))) return { kind: "other" };
    for (let size = CHUNK; size <= LONGEST; size *= 2) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size), 0, size, from);
      const end = buffer.subarray(0, bytesRead).lastIndexOf(0x0a) + 1;
      if (end > 0 || bytesRead < size) return { kind: "lines", bytes: buffer.subarray(0, end) };
    }
    return { kind: "lines", bytes: Buffer.alloc(0) };
  } finally {
    await file.close();
  }
}

/** SHA-256 of a file's first `bytes` bytes, or of all there are. */
export async function prefixDigest(path: string, bytes: number): Promise<string> {
  const file = await open(path, "r");
  try {
    return await digestOf(file, bytes);
  } finally {
    await file.close();
  }
}

async function digestOf(file: Awaited<ReturnType<typeof open>>, bytes: number): Promise<string> {
  const hash = createHash("sha256");
  const buffer = Buffer.alloc(CHUNK);
  for (let at = 0; at < bytes;) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(CHUNK, bytes - at), at);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash.digest("hex");
}
