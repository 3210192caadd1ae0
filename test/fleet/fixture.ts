import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const dir = fileURLToPath(new URL("../fixtures/engines", import.meta.url));

/** A captured or generated page; where each comes from stands in its first line and in the folder's README. */
export const enginePage = (name: string): string => readFileSync(`${dir}/${name}`, "utf8");

/** Everything of a page but its values: comments and series in order, the capture's own first line left out. */
export function skeleton(page: string): readonly string[] {
  return page
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("# SOURCE"))
    .map((line) => (line.startsWith("#") ? line : line.replace(/ [^ ]+$/, "").replace(/pid="\d+"/, 'pid="1"')));
}
