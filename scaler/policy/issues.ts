import type { z } from "zod";
import { formatPath, type Path, type PolicyIssue } from "./problem.ts";
import { fieldsAt, nearest } from "./suggest.ts";

/** Translates what zod found into our closed codes and into sentences that say what to write. */
export interface Found extends PolicyIssue {
  readonly at: "value" | "key";
}

type Issue = z.core.$ZodIssue;

export function fromZod(issue: Issue, input: unknown): readonly Found[] {
  const path = issue.path.map((key) => (typeof key === "number" ? key : String(key)));
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownField(path, key));
  const where = formatPath(path);
  const received = valueAt(input, path);
  if (received === undefined && issue.code !== "custom") {
    return [{ path, at: "value", code: "POLICY_REQUIRED", message: `${where} is required${hint(issue)}` }];
  }
  return [{ path, at: "value", ...describe(issue, where, received) }];
}

function describe(issue: Issue, where: string, received: unknown): Pick<PolicyIssue, "code" | "message"> {
  switch (issue.code) {
    case "too_small":
    case "too_big":
      return { code: "POLICY_RANGE", message: `${where}: ${bound(issue)}, not ${show(received)}` };
    case "invalid_value":
      return { code: "POLICY_VALUE", message: `${where}: write one of ${issue.values.map(String).join(", ")}, not ${show(received)}` };
    case "invalid_union":
      // The schema's only unions are durations and shares.
      return { code: "POLICY_UNIT", message: `${where}: ${where.endsWith(".step") ? SHARE : DURATION}, not ${show(received)}` };
    case "custom":
      return { code: "POLICY_UNIT", message: `${where}: ${issue.message}` };
    case "invalid_type":
      return { code: "POLICY_TYPE", message: `${where}: expected ${issue.expected}, found ${show(received)}${empty(received)}` };
    case "invalid_format":
    case "invalid_key":
    case "invalid_element":
    case "not_multiple_of":
    case "unrecognized_keys":
      return { code: "POLICY_VALUE", message: `${where}: ${issue.message}` };
  }
}

const DURATION = "write a duration with a unit, for example 500ms, 90s or 5m";
const SHARE = "write a percentage, for example 25%, or a number such as 0.25";

function bound(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): string {
  const noun = issue.origin === "string" ? " characters" : issue.origin === "array" ? " entries" : "";
  if (issue.code === "too_small") return `must be ${issue.inclusive === false ? "more than" : "at least"} ${issue.minimum}${noun}`;
  return `must be ${issue.inclusive === false ? "less than" : "at most"} ${issue.maximum}${noun}`;
}

function hint(issue: Issue): string {
  if (issue.code === "invalid_value") return `; write ${issue.values.map(String).join(" or ")}`;
  if (issue.code === "invalid_union") return `; ${DURATION}`;
  return "";
}

const empty = (received: unknown): string => (received === null ? "; write {} or remove the field" : "");

function unknownField(path: Path, key: string): Found {
  const fields = fieldsAt(path);
  const guess = nearest(key, fields);
  const rest = guess !== undefined ? `did you mean ${guess}?` : `fields here are ${fields.join(", ")}`;
  return {
    path: [...path, key],
    at: "key",
    code: "POLICY_UNKNOWN_FIELD",
    message: `${formatPath(path)} has no field "${clip(key)}"; ${rest}`,
  };
}

function show(value: unknown): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  return typeof value === "string" ? `"${clip(value)}"` : String(value);
}

const clip = (text: string): string => (text.length > 60 ? `${text.slice(0, 57)}...` : text);

function valueAt(value: unknown, path: Path): unknown {
  let node = value;
  for (const key of path) {
    if (typeof node !== "object" || node === null) return undefined;
    node = Object.hasOwn(node, key) ? (node as Record<string | number, unknown>)[key] : undefined;
  }
  return node;
}
