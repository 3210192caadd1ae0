import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { REASON_CODES } from "../../core/decision.ts";
import { HOME } from "../../scripts/gates/command.ts";
import { listFiles } from "../../scripts/gates/files.ts";

const page = (path: string): string => readFileSync(join(HOME, path), "utf8");

test("docs/reasons.md has a row for every reason code and for nothing else", () => {
  const rows = [...page("docs/reasons.md").matchAll(/^\| `([a-z-]+)` +\| [A-Z][^|]*\. +\| [A-Z][^|]*\. +\|$/gm)].map((match) => match[1]);
  expect(rows.toSorted()).toEqual([...REASON_CODES].toSorted());
});

test("docs/plan.md has a row for every error code of the session", () => {
  const code = [...page("cli/plan/session.ts").matchAll(/\| "(PLAN_[A-Z_]+)"/g)].map((match) => match[1]);
  const rows = [...page("docs/plan.md").matchAll(/^\| `(PLAN_[A-Z_]+)` +\|/gm)].map((match) => match[1]);
  expect(code.length).toBeGreaterThan(5);
  expect(rows.toSorted()).toEqual(code.toSorted());
});

test("the dependency record names every dependency", () => {
  const manifest = JSON.parse(page("package.json")) as Record<"dependencies" | "devDependencies", Record<string, string>>;
  const named = [...page("docs/adr/0002-dependencies.md").matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? "");
  const covered = (name: string): boolean => named.some((one) => (one.endsWith("/*") ? name.startsWith(one.slice(0, -1)) : one === name));
  const all = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.devDependencies)];
  expect(all.filter((name) => !covered(name))).toEqual([]);
});

test("decision records are numbered without gaps", () => {
  const numbers = readdirSync(join(HOME, "docs", "adr")).map((name) => Number(name.slice(0, 4)));
  expect(numbers).toEqual(numbers.map((_, index) => index + 1));
});

test("links between pages lead somewhere", () => {
  const pages = listFiles(HOME).filter((path) => path.endsWith(".md"));
  const broken = pages.flatMap((path) =>
    [...page(path).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)]
      .map((match) => match[1] ?? "")
      .filter((target) => !existsSync(join(HOME, dirname(path), target)))
      .map((target) => `${path}: ${target}`),
  );
  expect(pages.length).toBeGreaterThan(10);
  expect(broken).toEqual([]);
});

test("the import table of the architecture page is the one that is enforced", () => {
  const rules = page(".dependency-cruiser.cjs");
  const areas = [...page("docs/architecture.md").matchAll(/^\| `([a-z/]+)` +\| (?:nothing|the entries|`[a-z/]+)/gm)].map(
    (match) => match[1] ?? "",
  );
  expect(areas.length).toBeGreaterThan(7);
  for (const area of areas) expect(rules).toMatch(new RegExp(`^  "?${area}"?: \\{`, "m"));
});
