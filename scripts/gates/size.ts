import { type Gate, verdict } from "./gate.ts";
import { type SourceFile, isTypeScript, readFiles } from "./files.ts";

const CAP = 400;

/** Small files, one idea each. */
export const size: Gate = {
  name: "size",
  run(root) {
    const files = readFiles(root, (path) => isTypeScript(path) || /^(scripts|\.ci)\/.*\.(sh|mjs)$/.test(path));
    return Promise.resolve(verdict(files.length, `files, median ${medianLines(files)} lines`, tooLong(files)));
  },
};

export function tooLong(files: readonly SourceFile[]): string[] {
  return files
    .map((file) => ({ path: file.path, lines: lines(file) }))
    .filter((file) => file.lines > CAP)
    .map((file) => `${file.path}: ${file.lines} lines, at most ${CAP}: split it by idea`);
}

const lines = (file: SourceFile): number => file.text.split("\n").length - (file.text.endsWith("\n") ? 1 : 0);

function medianLines(files: readonly SourceFile[]): number {
  const counts = files.filter((file) => !file.path.startsWith("test/")).map(lines);
  counts.sort((a, b) => a - b);
  return counts[counts.length >> 1] ?? 0;
}
