import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { HOME } from "../../scripts/gates/command.ts";
import { chosenRelease } from "../../scripts/real-cluster/release.ts";

const SOURCES = join(HOME, "scripts", "real-cluster");

describe("the Kubernetes release that test:cluster:real builds", () => {
  it("is that of go.mod, or the minor version that is asked for", () => {
    expect(chosenRelease(SOURCES)).toEqual({ version: "v1.36.3", modules: SOURCES });
    expect(chosenRelease(SOURCES, "")).toEqual(chosenRelease(SOURCES));
    expect(chosenRelease(SOURCES, "1.36")).toEqual(chosenRelease(SOURCES));
    expect(chosenRelease(SOURCES, "1.34")).toEqual({ version: "v1.34.4", modules: join(SOURCES, "1.34") });
  });

  it("is refused where there are no module files of it, with those there are", () => {
    for (const asked of ["1.3", "1.33", "v1.34", "1.34.4"])
      expect(() => chosenRelease(SOURCES, asked)).toThrow(`FULCRUM_KUBERNETES_VERSION is ${asked}; there are module files of 1.36, 1.34`);
  });

  it.each(["1.36", "1.34"])("%s takes every staging module from that release, with sums, and the same programs", (minor) => {
    const { version, modules } = chosenRelease(SOURCES, minor);
    const text = readFileSync(join(modules, "go.mod"), "utf8");
    const staged = [...text.matchAll(/^\t(?:\S+ => )?(k8s\.io\/\S+) (v0\.[1-9]\S*)/gm)].map(([, module, of]) => [module, of]);
    expect(staged.length).toBeGreaterThan(20);
    expect(new Set(staged.map(([, of]) => of))).toEqual(new Set([version.replace("v1.", "v0.")]));
    const tools = (of: string): string | undefined => /^tool \([^)]*\)/m.exec(of)?.[0];
    expect(tools(text)).toContain("k8s.io/kubernetes/cmd/kube-apiserver");
    expect(tools(text)).toBe(tools(readFileSync(join(SOURCES, "go.mod"), "utf8")));
    expect(existsSync(join(modules, "go.sum")) && readFileSync(join(modules, "go.sum"), "utf8")).toContain(
      `k8s.io/kubernetes ${version} h1:`,
    );
  });
});
