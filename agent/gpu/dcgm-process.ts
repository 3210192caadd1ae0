import { openDcgm } from "./dcgm/dcgm.ts";
import { serveReads } from "./reader-process.ts";

/** The program of the DCGM process. */
serveReads(async (start) => {
  if (!("host" in start)) throw new Error("started without the address of a host engine");
  return openDcgm(start);
});
