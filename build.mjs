// Bundles the processes and the page into dist/. Node 20 cannot run .ts files, so start and image use these.
import { build } from "esbuild";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir, rm, stat } from "node:fs/promises";

const banner = {
  // OpenTelemetry and prom-client are CommonJS and call require().
  js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
};
const common = { bundle: true, logLevel: "warning", legalComments: "none", sourcemap: "linked", metafile: true };

// Without spaces the programs are two thirds as long, and V8 keeps their text in memory. Names stay, for stack traces; lines stay short, because
// Node prints the line of an exception that nobody caught.
const compact = { minifyWhitespace: true, minifySyntax: true, lineLimit: 160 };

// A measuring program for machines with a GPU. It belongs to a checkout; the image is built without scripts/.
const measuring = existsSync("scripts/gpu-truth.ts") ? { "gpu-truth": "scripts/gpu-truth.ts" } : {};

// Zod's messages in fifty languages, which nothing asks for, would be a tenth of what an agent loads. English is its default.
const english = {
  name: "english",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({ contents: 'export { default as en } from "./en.js";' }));
  },
};

await mkdir("dist/web", { recursive: true });
const [processes] = await Promise.all([
  build({
    ...common,
    ...compact,
    entryPoints: {
      fulcrum: "cli/main.ts",
      engine: "fleet/engine/main.ts",
      "nvml-process": "agent/gpu/nvml-process.ts",
      "dcgm-process": "agent/gpu/dcgm-process.ts",
      ...measuring,
    },
    outdir: "dist",
    outExtension: { ".js": ".mjs" },
    format: "esm",
    platform: "node",
    target: "node20",
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
    banner,
    // Optional and native: the processes of the GPU readers find it in node_modules, or say that it is not there.
    external: ["koffi"],
    plugins: [english],
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
await prune(new Set(Object.keys(processes.metafile.outputs)));

// A running process loads chunks when it first needs them, so those of the build before stay for an hour.
async function prune(current) {
  for (const name of await readdir("dist/chunks")) {
    const path = `dist/chunks/${name}`;
    const old = !current.has(path) && Date.now() - (await stat(path)).mtimeMs > 3_600_000;
    if (old) await rm(path, { force: true });
  }
}
