/** What is wrong with a policy, where, and what to write instead. Codes are closed and documented in docs/policy.md. */
export const POLICY_CODES = [
  "POLICY_EMPTY",
  "POLICY_TOO_LARGE",
  "POLICY_SYNTAX",
  "POLICY_DUPLICATE_KEY",
  "POLICY_DUPLICATE_NAME",
  "POLICY_UNKNOWN_FIELD",
  "POLICY_REQUIRED",
  "POLICY_TYPE",
  "POLICY_VALUE",
  "POLICY_UNIT",
  "POLICY_RANGE",
  "POLICY_NO_OBJECTIVE",
  "POLICY_NO_BOUND",
  "POLICY_BUDGET",
  "POLICY_CRON",
  "POLICY_TIMEZONE",
  "POLICY_NO_TARGET",
  "POLICY_CONFLICT",
] as const;
export type PolicyCode = (typeof POLICY_CODES)[number];

export interface PolicyProblem {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  readonly column: number;
  readonly code: PolicyCode;
  readonly message: string;
}

export type Path = readonly (string | number)[];

/** A problem before it has a place in a text. */
export interface PolicyIssue {
  readonly path: Path;
  readonly code: PolicyCode;
  readonly message: string;
}

/** `file:line:column: CODE message`, the form editors and CI annotate. */
export const formatProblem = (p: PolicyProblem): string => `${p.file}:${p.line}:${p.column}: ${p.code} ${p.message}`;

export function formatPath(path: Path): string {
  let text = "";
  for (const key of path) text += typeof key === "number" ? `[${key}]` : `${text === "" ? "" : "."}${key}`;
  return text === "" ? "document" : text;
}
