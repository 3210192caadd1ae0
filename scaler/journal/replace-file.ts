import { open, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { makeDirectory } from "./directory.ts";

/** Written beside, flushed, then renamed over: a reader sees the old text or the new one, whole. */
export async function replaceFile(path: string, text: string): Promise<void> {
  await makeDirectory(dirname(path));
  const beside = `${path}.tmp`;
  const file = await open(beside, "w");
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(beside, path);
}
