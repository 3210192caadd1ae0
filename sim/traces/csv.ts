/** Columns apart by one of these; which, the header tells. */
const SEPARATORS = [",", ";", "\t"] as const;
export type Separator = (typeof SEPARATORS)[number];

/** The separator that the header has most of. */
export function separatorOf(header: string): Separator {
  const count = (separator: Separator): number => header.split(separator).length;
  return SEPARATORS.reduce((best, next) => (count(next) > count(best) ? next : best));
}

/** The cells of a line, without the spaces and quotes around them; a separator within quotes does not part. */
export function splitCsv(text: string, separator: Separator): string[] {
  if (!text.includes('"')) return text.split(separator).map((cell) => cell.trim());
  const cells: string[] = [];
  let cell = "";
  let quoted = false;
  for (const character of text) {
    if (character === '"') quoted = !quoted;
    else if (character === separator && !quoted) {
      cells.push(cell.trim());
      cell = "";
    } else cell += character;
  }
  return [...cells, cell.trim()];
}

/** `Input Tokens`, `input-tokens` and `input_tokens` are one name. */
export const columnName = (written: string): string =>
  written
    .trim()
    .toLowerCase()
    .replaceAll(/[\s-]+/g, "_");
