import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import type { Reply } from "./http.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
};

const NO_PAGE = "The page is not built here. Build it with `npm run build`; the same facts stand on /metrics and /api/state.\n";

/** The page's files from one flat directory: plain names only, so no path can lead out of it. */
export async function readAsset(webRoot: string, path: string): Promise<Reply | undefined> {
  const name = path === "/" ? "index.html" : path.slice(1);
  const type = TYPES[extname(name)];
  if (type === undefined || !/^[\w-]+(?:\.[\w-]+)+$/.test(name)) return undefined;
  try {
    return { status: 200, type, body: await readFile(join(webRoot, name)) };
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    return path === "/" ? { status: 503, type: "text/plain; charset=utf-8", body: NO_PAGE } : undefined;
  }
}
