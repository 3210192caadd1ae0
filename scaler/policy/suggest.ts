import { policyJsonSchema, type JsonSchema } from "./json-schema.ts";
import type { Path } from "./problem.ts";

/** Names that may stand at a path of a policy, in the schema's order. */
export function fieldsAt(path: Path): readonly string[] {
  let node: JsonSchema | undefined = policyJsonSchema();
  for (const key of path) node = typeof key === "number" ? node?.items : node?.properties?.[key];
  return Object.keys(node?.properties ?? {});
}

/** The candidate within two edits (or one third of the word), if any; ties go to the first. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const limit = Math.max(2, Math.floor(word.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein; words here are field names, so the quadratic table is tiny (inputs are cut at 64 characters). */
function editDistance(a: string, b: string): number {
  const left = a.slice(0, 64);
  const right = b.slice(0, 64);
  let row = Array.from({ length: right.length + 1 }, (_, i) => i);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitution));
    }
    row = next;
  }
  return row[right.length] ?? 0;
}
