import { mkdir, open, rename } from "node:fs/promises";
import { dirname } from "node:path";

/** Written beside, flushed, then renamed over: a reader sees the old text or the new one, whole. */
export async function replaceFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
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
