import type { Readable } from "node:stream";
import { createInterface } from "node:readline";

/** Parts of a process's memory as Node tells them; MiB. `external` includes the array buffers. */
export interface Heap {
  readonly heapTotal: number;
  readonly heapUsed: number;
  readonly external: number;
  readonly arrayBuffers: number;
}

/** Where the probed process writes: the first descriptor after the usual three. */
const DESCRIPTOR = 3;

/** What the probed process runs before its program. It sees the heap as it is between two collections, so single values vary by the young generation. */
const PROBE = `import { writeSync } from "node:fs";
setInterval(() => writeSync(${DESCRIPTOR}, JSON.stringify(process.memoryUsage()) + "\\n"), 5000).unref();`;

/** Flags of Node that make a process tell its memory every five seconds; its descriptor 3 has to be a pipe. Child processes do not inherit them. */
export const HEAP_PROBE = ["--import", `data:text/javascript,${encodeURIComponent(PROBE)}`] as const;

/** The latest word of a probed process. */
export function latestHeap(pipe: Readable): () => Heap | undefined {
  let latest: Heap | undefined;
  createInterface(pipe).on("line", (line) => {
    // Our own probe's line: process.memoryUsage() as JSON.
    const said = JSON.parse(line) as Heap;
    const mib = (bytes: number): number => bytes / 1024 / 1024;
    latest = {
      ...{ heapTotal: mib(said.heapTotal), heapUsed: mib(said.heapUsed) },
      ...{ external: mib(said.external), arrayBuffers: mib(said.arrayBuffers) },
    };
  });
  return () => latest;
}
