// Bundles the processes and the page into dist/. Node 20 cannot run .ts files, so start and image use these.
import { build } from "esbuild";
import { copyFile, mkdir, rm } from "node:fs/promises";

const banner = {
  // OpenTelemetry and prom-client are CommonJS and call require().
  js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
};
const common = { bundle: true, logLevel: "warning", legalComments: "none", sourcemap: "linked" };

await rm("dist", { recursive: true, force: true });
await mkdir("dist/web", { recursive: true });
await Promise.all([
  build({
    ...common,
    entryPoints: { fulcrum: "cli/main.ts", engine: "fleet/engine/main.ts" },
    outdir: "dist",
    outExtension: { ".js": ".mjs" },
    format: "esm",
    platform: "node",
    target: "node20",
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
    banner,
  }),
  build({
    ...common,
    entryPoints: { page: "web/main.tsx" },
    outdir: "dist/web",
    format: "esm",
    platform: "browser",
    target: "es2022",
    minify: true,
    jsx: "automatic",
    jsxImportSource: "preact",
  }),
]);
await copyFile("web/index.html", "dist/web/index.html");
