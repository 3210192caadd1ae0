import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { parseAllDocuments, stringify } from "yaml";
import { HOME } from "../gates/command.ts";

/** An image by name and digest or tag: `ghcr.io/me/fulcrum@sha256:…`, `localhost:5000/fulcrum:0.1.0`. */
const REFERENCE = /^(?<name>[^@\s]+?)(?:@(?<digest>sha256:[0-9a-f]{64})|:(?<tag>[\w][\w.-]{0,127}))$/;

/** Names of the overlays that are released: every folder of deploy/overlays. */
export const overlays = (): readonly string[] => readdirSync(join(HOME, "deploy", "overlays")).sort();

/**
 * What `kubectl apply -f` installs for an overlay, with our image named `image` and nothing else changed. `kubectl` is the program's
 * path. Throws on a reference without tag or digest, and where an image of ours was left as it was.
 */
export function manifestOf(overlay: string, image: string, kubectl: string): string {
  const { name, digest, tag } = REFERENCE.exec(image)?.groups ?? {};
  if (name === undefined) throw new Error(`--image ${image}: expected NAME@sha256:DIGEST or NAME:TAG`);
  // kustomize follows relative paths only, and out of a folder of its own.
  mkdirSync(join(HOME, ".run"), { recursive: true });
  const folder = mkdtempSync(join(HOME, ".run", "release-"));
  try {
    const named = { name: "fulcrum", newName: name, ...(digest === undefined ? { newTag: tag } : { digest }) };
    const kustomization = { resources: [relative(folder, join(HOME, "deploy", "overlays", overlay))], images: [named] };
    writeFileSync(join(folder, "kustomization.yaml"), stringify(kustomization));
    const text = execFileSync(kubectl, ["kustomize", folder], { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
    const strangers = images(text).filter((used) => used !== image);
    if (strangers.length > 0) throw new Error(`overlay ${overlay} also runs ${strangers.join(", ")}, which is not ${image}`);
    return `# Fulcrum, overlay ${overlay}, image ${image}. Generated from deploy/overlays/${overlay} by scripts/release-manifests.ts.\n${text}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Every image that a manifest's containers run. */
export function images(manifest: string): readonly string[] {
  const found: string[] = [];
  const look = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(look);
    else if (typeof value === "object" && value !== null)
      for (const [key, inner] of Object.entries(value)) {
        if (key === "containers" || key === "initContainers") found.push(...imagesOf(inner));
        else look(inner);
      }
  };
  // The definition of our own kind describes no containers.
  for (const document of parseAllDocuments(manifest)) look(document.toJS());
  return found;
}

const imagesOf = (containers: unknown): string[] =>
  (Array.isArray(containers) ? (containers as { image?: unknown }[]) : []).flatMap(({ image }) =>
    typeof image === "string" ? [image] : [],
  );
