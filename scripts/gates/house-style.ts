import { type Gate, verdict } from "./gate.ts";
import { type SourceFile, isTypeScript, lineOf, readFiles } from "./files.ts";

interface Rule {
  readonly pattern: RegExp;
  readonly where: (path: string) => boolean;
  readonly say: string;
}

const own = (path: string): boolean => isTypeScript(path) && !path.startsWith("test/workshop/");
const tests = (path: string): boolean => /^test\/.*\.test\.tsx?$/.test(path) && !path.startsWith("test/workshop/");

/** House rules that no linter has. Each names what to do instead. */
const RULES: readonly Rule[] = [
  { pattern: /^export \* from/gm, where: own, say: "barrel: import from the file that defines it" },
  {
    pattern: /(?:oxlint|eslint)-disable(?:-next-line|-line)?(?![^\n]* -- \S)[^\n]*/g,
    where: own,
    say: "lint disabled without a reason: write `-- why` after the rule",
  },
  { pattern: /@ts-(?:ignore|nocheck)/g, where: own, say: "silenced type error: fix it, or @ts-expect-error with the reason" },
  { pattern: /@ts-expect-error\s*$/gm, where: own, say: "@ts-expect-error without a reason" },
  {
    pattern: /\b(?:it|test|describe)\.(?:only|skip|todo|fails)\b/g,
    where: tests,
    say: "tests run or are conditional (skipIf with the need in the name)",
  },
  { pattern: /\bvi\.(?:mock|doMock)\(/g, where: tests, say: "mock of a module: run the real thing on loopback" },
  { pattern: /from "(\.{1,2}\/[^"]+)(?<!\.tsx?|\.json|\.css)"/g, where: own, say: "relative import without its extension" },
];

const UTILS = /(^|\/)(utils?|helpers?|common|misc|shared|index)\.tsx?$/;
/** test/support/shared.ts is the door to the shared test data. */
const NAMED_ON_PURPOSE = new Set(["test/support/shared.ts"]);

export const houseStyle: Gate = {
  name: "style",
  run(root) {
    const files = readFiles(root, isTypeScript);
    return Promise.resolve(verdict(files.length, "modules", files.flatMap(breaches)));
  },
};

export function breaches(file: SourceFile): string[] {
  const named = UTILS.test(file.path) && !NAMED_ON_PURPOSE.has(file.path) ? [`${file.path}: name a file after its one idea`] : [];
  const found = RULES.filter((rule) => rule.where(file.path)).flatMap((rule) =>
    [...file.text.matchAll(rule.pattern)].map((match) => `${file.path}:${lineOf(file.text, match.index)}: ${rule.say}`),
  );
  return [...named, ...found];
}
