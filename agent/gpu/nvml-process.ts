import { openNvml } from "./nvml.ts";
import { serveReads } from "./reader-process.ts";

/** The program of the NVML process. */
serveReads(({ library, proc }) => openNvml(library, proc));
