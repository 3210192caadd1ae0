import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { images, manifestOf, overlays } from "../../scripts/release/manifests.ts";
import { notesOf } from "../../scripts/release/notes.ts";
import { component, needs } from "../support/components.ts";
import { kustomized } from "../support/manifests.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (name: string): string => readFileSync(join(root, name), "utf8");
const kubectl = component("kubectl");
const IMAGE = `ghcr.io/somebody/fulcrum@sha256:${"0123456789abcdef".repeat(4)}`;

describe.skipIf(kubectl === undefined)(`manifests of a release ${needs("kubectl")}`, () => {
  it("exist for every overlay, and differ from what `apply -k` installs by the image alone", () => {
    expect(overlays()).toContain("observe");
    for (const overlay of overlays()) {
      const released = manifestOf(overlay, IMAGE, kubectl ?? "");
      expect(images(released).length).toBeGreaterThan(1);
      expect(new Set(images(released))).toEqual(new Set([IMAGE]));
      const local = `fulcrum:${version()}`;
      const own = kustomized(kubectl ?? "", `overlays/${overlay}`);
      const objects = released
        .split(/^---$/m)
        .map((text) => parse(text.replaceAll(IMAGE, local)) as unknown)
        .filter((object) => object !== null);
      expect(objects).toEqual(own);
    }
  });

  it("take a tag as well as a digest, and refuse what names neither", () => {
    expect(new Set(images(manifestOf("observe", "localhost:5000/fulcrum:0.2.0-rc.1", kubectl ?? "")))).toEqual(
      new Set(["localhost:5000/fulcrum:0.2.0-rc.1"]),
    );
    for (const bad of ["fulcrum", "localhost:5000/fulcrum", "ghcr.io/me/fulcrum@sha256:12"])
      expect(() => manifestOf("observe", bad, kubectl ?? "")).toThrow("expected NAME@sha256:DIGEST or NAME:TAG");
  });
});

function version(): string {
  return (JSON.parse(read("package.json")) as { version: string }).version;
}

describe("images that the manifests name", () => {
  it("are of the version in package.json, so that an image built from this tree needs no edit", () => {
    for (const file of ["deploy/overlays/observe", "deploy/demo", "deploy/demo/serving"]) {
      const kustomization = parse(read(`${file}/kustomization.yaml`)) as { images: { newTag: string }[] };
      expect(kustomization.images.map(({ newTag }) => newTag)).toEqual([version()]);
    }
  });
});

describe("notes of a release", () => {
  const changelog = "# Changelog\n\n## Unreleased\n\n- soon\n\n## 0.2.0 (2026-12-01)\n\n- new\n- mended\n\n## 0.1.0\n\n- first\n";

  it("are the section of the version, whatever follows its number", () => {
    expect(notesOf(changelog, "0.2.0", "v0.2.0")).toBe("- new\n- mended\n");
    expect(notesOf(changelog, "0.1.0", "v0.1.0")).toBe("- first\n");
  });

  it("refuse a tag that is not the package's version, and a version that the CHANGELOG does not tell of", () => {
    expect(() => notesOf(changelog, "0.2.0", "v0.3.0")).toThrow("tag v0.3.0, but package.json says 0.2.0: expected the tag v0.2.0");
    expect(() => notesOf(changelog, "0.2", "v0.2")).toThrow('no section "## 0.2"');
    expect(() => notesOf("## 0.2.0\n\n## 0.1.0\n", "0.2.0", "v0.2.0")).toThrow("CHANGELOG.md:1");
  });
});

interface Job {
  readonly needs?: string;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly steps: readonly { readonly uses?: string; readonly run?: string; readonly with?: Readonly<Record<string, unknown>> }[];
}

describe("the release workflow", () => {
  const workflow = parse(read(".github/workflows/release.yml")) as {
    on: { push: { tags: string[] } };
    permissions: Record<string, string>;
    jobs: Record<string, Job>;
  };
  const steps = Object.values(workflow.jobs).flatMap((job) => job.steps);

  it("runs for version tags only, and publishes nothing before everything has passed", () => {
    expect(workflow.on).toEqual({ push: { tags: ["v*"] } });
    expect(workflow.jobs["everything"]?.steps.map(({ run }) => run)).toContain(".ci/run");
    expect(workflow.jobs["publish"]?.needs).toBe("everything");
  });

  it("may write only where it publishes", () => {
    expect(workflow.permissions).toEqual({ contents: "read" });
    expect(workflow.jobs["everything"]?.permissions).toBeUndefined();
    expect(Object.keys(workflow.jobs["publish"]?.permissions ?? {}).sort()).toEqual(["attestations", "contents", "id-token", "packages"]);
  });

  it("uses actions of a stated version, and scripts and files that exist", () => {
    for (const { uses } of steps) if (uses !== undefined) expect(uses).toMatch(/@v\d+$/);
    const scripts = steps.flatMap(({ run }) => [...(run ?? "").matchAll(/(?:scripts\/[\w-]+\.ts|\.ci\/run)/g)].map(([name]) => name));
    expect(scripts).toContain("scripts/release-manifests.ts");
    expect(scripts).toContain("scripts/release-notes.ts");
    for (const script of scripts) expect(existsSync(join(root, script))).toBe(true);
    const build = steps.find(({ uses }) => uses?.startsWith("docker/build-push-action@"))?.with;
    expect(build).toMatchObject({ file: "deploy/Dockerfile", sbom: true, platforms: "linux/amd64,linux/arm64" });
  });
});
