/** Writes fulcrum-OVERLAY.yaml for every overlay of deploy/overlays: `npx tsx scripts/release-manifests.ts --image NAME@sha256:… --out DIR`. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { manifestOf, overlays } from "./release/manifests.ts";

const { values } = parseArgs({
  options: {
    image: { type: "string" },
    out: { type: "string" },
    kubectl: { type: "string", default: process.env["FULCRUM_KUBECTL"] ?? "kubectl" },
  },
});
const { image, out, kubectl } = values;
if (image === undefined || out === undefined) {
  console.error("usage: npx tsx scripts/release-manifests.ts --image NAME@sha256:DIGEST|NAME:TAG --out DIR [--kubectl PROGRAM]");
  process.exit(2);
}
try {
  mkdirSync(out, { recursive: true });
  for (const overlay of overlays()) {
    const file = join(out, `fulcrum-${overlay}.yaml`);
    writeFileSync(file, manifestOf(overlay, image, kubectl));
    console.log(file);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
