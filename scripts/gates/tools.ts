import { type Gate, type GateResult, verdict } from "./gate.ts";
import { isTypeScript, listFiles } from "./files.ts";
import { type Outcome, runTool } from "./command.ts";

const said = (outcome: Outcome): string => `${outcome.stdout}${outcome.stderr}`.trim();

/** The count a program prints about itself, so that the gate says what was really looked at. */
function counted(outcome: Outcome, pattern: RegExp, unit: string): GateResult {
  const count = Number(pattern.exec(said(outcome))?.[1] ?? 0);
  return verdict(count, unit, outcome.code === 0 ? [] : [said(outcome)]);
}

export const format: Gate = {
  name: "format",
  async run(root) {
    return counted(await runTool(root, "oxfmt", ["--check", "."]), /on (\d+) files/, "files");
  },
};

export const lint: Gate = {
  name: "lint",
  async run(root) {
    return counted(await runTool(root, "oxlint", ["--type-aware", "--deny-warnings", "."]), /on (\d+) files/, "files");
  },
};

export const types: Gate = {
  name: "types",
  async run(root) {
    const outcome = await runTool(root, "tsc", ["--noEmit", "--listFiles"]);
    const [listed, problems] = partition(outcome.stdout.split("\n"), (line) => /^\/.*\.[cm]?tsx?$/.test(line));
    const own = listed.filter((line) => !line.includes("/node_modules/")).length;
    const exist = listFiles(root).filter((path) => isTypeScript(path) && !path.endsWith(".d.ts")).length;
    const text = problems.join("\n").trim();
    const blind = own < exist ? [`tsc saw ${own} of ${exist} TypeScript files: add the missing folder to tsconfig.json`] : [];
    return verdict(own, "modules", outcome.code === 0 ? blind : [text, ...blind]);
  },
};

export const unused: Gate = {
  name: "unused",
  async run(root) {
    const outcome = await runTool(root, "knip", ["--no-progress"]);
    const exist = listFiles(root).filter(isTypeScript).length;
    return verdict(exist, "modules", outcome.code === 0 ? [] : [said(outcome)]);
  },
};

function partition(lines: readonly string[], wanted: (line: string) => boolean): [string[], string[]] {
  return [lines.filter(wanted), lines.filter((line) => !wanted(line))];
}
