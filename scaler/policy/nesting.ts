/** Levels of flow brackets, of dashes on one line, and spaces of indentation: a policy stays below 10, 3 and 20. */
const MAX_FLOW = 50;
const MAX_DASHES = 50;
const MAX_INDENT = 400;

/**
 * The YAML parser recurses, and exhausting its stack ends the process (inside the regular expression compiler, where nothing
 * can be caught). So text that nests absurdly is refused before it is parsed. Brackets in strings count too: harmless here.
 * Answers the line.
 */
export function nestedTooDeep(text: string): number | undefined {
  let flow = 0;
  for (const [index, line] of text.split("\n").entries()) {
    const indent = line.length - line.trimStart().length;
    const dashes = /^(?:[-?:]\s+)*/.exec(line.trimStart().slice(0, 4 * MAX_DASHES))?.[0].replace(/\s/g, "").length ?? 0;
    if (indent > MAX_INDENT || dashes > MAX_DASHES) return index + 1;
    for (const character of line) {
      if (character === "[" || character === "{") flow++;
      else if ((character === "]" || character === "}") && flow > 0) flow--;
      if (flow > MAX_FLOW) return index + 1;
    }
  }
  return undefined;
}
