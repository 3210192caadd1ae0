import { z } from "zod";

/**
 * How this program says what is wrong with a document, in every place where a schema reads one: what was expected and what was found, in the
 * words of who wrote it. Policies have words of their own, with the line and what to write (scaler/policy/issues.ts).
 */
export function speakPlainly(): void {
  z.config({ customError: complaint });
}

/** The message of one problem; undefined leaves the library's own. */
export function complaint(issue: z.core.$ZodRawIssue): string | undefined {
  const { input } = issue;
  switch (issue.code) {
    case "invalid_type":
      return input === undefined
        ? `is missing, expected ${kind(issue.expected)}`
        : `expected ${kind(issue.expected)}, found ${shown(input)}`;
    case "invalid_value":
      return `${input === undefined ? "is missing, expected" : "expected"} ${issue.values.map((value) => JSON.stringify(value)).join(" or ")}${input === undefined ? "" : `, found ${shown(input)}`}`;
    case "too_small":
    case "too_big": {
      const noun = issue.origin === "array" ? " entries" : issue.origin === "string" ? " characters" : "";
      const least = issue.code === "too_small" ? issue.minimum : issue.maximum;
      const word = issue.code === "too_small" ? ["at least", "more than"] : ["at most", "less than"];
      return `expected ${issue.inclusive === false ? word[1] : word[0]} ${least}${noun}, found ${noun === "" ? shown(input) : length(input)}`;
    }
    case "unrecognized_keys":
      return `has no field ${issue.keys.map((key) => JSON.stringify(key)).join(", ")}`;
    default:
      return undefined;
  }
}

const KINDS: Readonly<Record<string, string>> = {
  string: "a text in quotes",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  tuple: "a list",
  object: "fields in braces",
  record: "fields in braces",
};

const kind = (expected: string): string => KINDS[expected] ?? expected;
const length = (value: unknown): string => (typeof value === "string" || Array.isArray(value) ? String(value.length) : shown(value));

const MOST = 40;

function shown(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "fields in braces";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > MOST ? `${text.slice(0, MOST - 1)}…` : text;
}
