import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Interfaces, parseNetDev } from "./network.ts";

/**
 * Read directly because systeminformation shells out for it and answers zeros, not an error, where there is no shell. Process 1 first: where the
 * agent sees the host's processes that is the host's network, while `net/dev` alone is the network of the agent's own pod.
 */
export async function readInterfaces(procRoot: string): Promise<Interfaces> {
  for (const path of [join(procRoot, "1", "net", "dev"), join(procRoot, "net", "dev")]) {
    const text = await readFile(path, "utf8").catch(() => undefined);
    if (text !== undefined) return parseNetDev(text);
  }
  return new Map();
}
