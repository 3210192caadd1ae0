import { setTimeout as sleep } from "node:timers/promises";

/** Polls until the answer is not undefined. Its limit only turns a hang into a failure: nothing is asserted about time. */
export async function until<T>(what: string, look: () => T | undefined | Promise<T | undefined>, limit = 20_000): Promise<T> {
  const end = Date.now() + limit;
  while (Date.now() < end) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(10);
  }
  throw new Error(`waited in vain for ${what}`);
}
