import { build } from "esbuild";
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** OpenTelemetry is CommonJS and calls require(); the same banner as in build.mjs. */
const banner = {
  js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
};

/** Bundles the engine program as the build does, into a fresh directory; engines run as real processes in these tests. */
export async function bundleEngine(): Promise<string> {
  const outdir = await mkdtemp(join(tmpdir(), "fulcrum-engine-"));
  process.on("exit", () => rmSync(outdir, { recursive: true, force: true }));
  await build({
    entryPoints: { engine: join(root, "fleet/engine/main.ts") },
    absWorkingDir: root,
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    logLevel: "warning",
    banner,
  });
  return join(outdir, "engine.mjs");
}
