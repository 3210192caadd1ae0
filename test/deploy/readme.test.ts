import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { COMMANDS } from "../../cli/commands.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const PAGES = ["README.md", "docs/install.md"] as const;

describe.each(PAGES)("%s", (page) => {
  const text = readFileSync(join(root, page), "utf8");

  it("links only to files that exist", () => {
    const links = [...text.matchAll(/(?<!!\[[^\]]*)\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map((match) => match[1] ?? "");
    expect(links.length).toBeGreaterThan(0);
    expect(links.filter((link) => !existsSync(join(root, dirname(page), link)))).toEqual([]);
  });

  it("names only commands that exist, and paths of this repository that are there", () => {
    const known = new Set(COMMANDS.map((command) => command.name));
    // `fulcrum doctor` is named as missing.
    const named = [...text.matchAll(/`fulcrum ([a-z]+)/g)].map((match) => match[1] ?? "").filter((name) => name !== "doctor");
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
    const paths = [...text.matchAll(/(?<![\w/.-])(?:deploy|alerts|dashboards|docs)\/[\w./-]*\w/g)].map((match) => match[0]);
    expect(paths.filter((path) => !path.startsWith("docs/images/") && !existsSync(join(root, path)))).toEqual([]);
  });
});

describe("README.md", () => {
  it("shows every command that is not hidden", () => {
    const text = readFileSync(join(root, "README.md"), "utf8");
    const shown = COMMANDS.filter((command) => command.hidden !== true).map((command) => command.name);
    expect(shown.filter((name) => !text.includes(`\`fulcrum ${name}`))).toEqual([]);
  });
});
