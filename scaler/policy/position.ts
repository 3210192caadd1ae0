import { isAlias, isMap, isScalar, isSeq, type Document, type LineCounter, type Node } from "yaml";
import type { Path } from "./problem.ts";

/** Finds where a path stands in a parsed YAML document. */
export interface Located {
  readonly line: number;
  readonly column: number;
}

interface Step {
  readonly key: Node | undefined;
  readonly value: Node | undefined;
}

function step(document: Document, node: Node, key: string | number): Step | undefined {
  const target = isAlias(node) ? node.resolve(document) : node;
  if (isMap(target)) {
    const pair = target.items.find((p) => isScalar(p.key) && String(p.key.value) === String(key));
    if (pair === undefined) return undefined;
    return { key: pair.key as Node, value: (pair.value ?? undefined) as Node | undefined };
  }
  if (isSeq(target) && typeof key === "number") {
    const item = target.items[key] as Node | undefined;
    return item === undefined ? undefined : { key: undefined, value: item };
  }
  return undefined;
}

const startOf = (node: Node | undefined): number | undefined => node?.range?.[0];

/**
 * `at: "value"` points at the value (or at its key when it is empty), `at: "key"` at the key. A path that is not in the
 * text points at the deepest part of it that is: the place where something is missing.
 */
export function locate(document: Document, lines: LineCounter, path: Path, at: "value" | "key"): Located {
  let node: Node | undefined = document.contents as Node | undefined;
  let offset = startOf(node) ?? document.range?.[0] ?? 0;
  for (const [index, key] of path.entries()) {
    const next = node === undefined ? undefined : step(document, node, key);
    if (next === undefined) break;
    const last = index === path.length - 1;
    const keyStart = startOf(next.key);
    const valueStart = startOf(next.value);
    // An ancestor of something missing is named by its key; the value itself by where it is written.
    offset = (last && at === "value" ? (valueStart ?? keyStart) : (keyStart ?? valueStart)) ?? offset;
    node = next.value;
  }
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}
