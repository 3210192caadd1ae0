import type { z } from "zod";
import { type Result, err, ok } from "../core/result.ts";

/** Where settings come from, weakest first: file, environment, flags. */
export interface SettingSources {
  /** The parsed configuration file; `name` is what messages call it. */
  readonly file?: { readonly name: string; readonly value: unknown };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** By camelCase key, as the command line parser yields them; undefined is "not given". */
  readonly flags: Readonly<Record<string, unknown>>;
}

/** "otlpGrpcPort" → "FULCRUM_OTLP_GRPC_PORT". */
export const envName = (key: string): string => `FULCRUM_${key.replace(/[A-Z]/g, "_$&").toUpperCase()}`;

/** "otlpGrpcPort" → "--otlp-grpc-port". */
export const flagName = (key: string): string => `--${key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;

/**
 * One flat settings object out of flags > environment > file. The schema coerces the strings of the first two
 * (`z.coerce`, duration pipes). Every problem is reported at once, each naming the place to mend.
 */
export function resolveSettings<S extends z.ZodObject>(schema: S, sources: SettingSources): Result<z.output<S>, readonly string[]> {
  const keys = Object.keys(schema.shape);
  const problems: string[] = [];
  const merged: Record<string, unknown> = {};
  const origin = new Map<string, string>();

  const put = (key: string, value: unknown, from: string): void => {
    merged[key] = value;
    origin.set(key, from);
  };
  for (const [key, value] of fileEntries(sources.file, keys, problems)) put(key, value, `${sources.file?.name ?? "file"}: ${key}`);
  for (const key of keys) {
    const fromEnv = sources.env[envName(key)];
    // An empty variable is how a manifest leaves one out.
    if (fromEnv !== undefined && fromEnv !== "") put(key, fromEnv, envName(key));
    const flag = sources.flags[key];
    // `--port "$PORT"` of a variable that is not set: as a number it would pass for 0.
    if (flag === "") problems.push(`${flagName(key)}: has no value; give one or leave the flag out`);
    else if (flag !== undefined) put(key, flag, flagName(key));
  }

  const parsed = schema.safeParse(merged);
  if (!parsed.success) for (const issue of parsed.error.issues) problems.push(describe(issue, origin, merged));
  return problems.length === 0 && parsed.success ? ok(parsed.data) : err(problems);
}

function fileEntries(file: SettingSources["file"], keys: readonly string[], problems: string[]): [string, unknown][] {
  if (file === undefined || file.value === undefined || file.value === null) return [];
  if (typeof file.value !== "object" || Array.isArray(file.value)) {
    problems.push(`${file.name}: must hold settings as "name: value" pairs`);
    return [];
  }
  const entries: [string, unknown][] = [];
  for (const [key, value] of Object.entries(file.value)) {
    if (!keys.includes(key)) {
      const near = nearest(key, keys);
      problems.push(
        `${file.name}: ${key}: no such setting; ${near === undefined ? `settings are ${keys.join(", ")}` : `did you mean ${near}?`}`,
      );
    } else if (value === null) problems.push(`${file.name}: ${key}: has no value; give one or remove the line`);
    else entries.push([key, value]);
  }
  return entries;
}

function describe(issue: z.core.$ZodIssue, origin: ReadonlyMap<string, string>, merged: Readonly<Record<string, unknown>>): string {
  const key = String(issue.path[0] ?? "");
  const from = origin.get(key);
  if (from === undefined && issue.code === "custom") return `${key}: ${issue.message}`;
  if (from === undefined) return `${key}: required; set ${flagName(key)}, ${envName(key)} or ${key} in the file`;
  const inner = issue.path.slice(1).map(String).join(".");
  const given = inner === "" && ["string", "number", "boolean"].includes(typeof merged[key]) ? ` (given: ${String(merged[key])})` : "";
  return `${from}: ${inner === "" ? "" : `${inner}: `}${complaint(issue)}${/token|secret|password/i.test(key) ? "" : given}`;
}

/** What was read from text is NaN where it was no number, and nobody wrote that. */
function complaint(issue: z.core.$ZodIssue): string {
  if (issue.code !== "invalid_type") return issue.message;
  if (issue.expected === "number") return "not a number";
  return issue.expected === "int" ? "not a whole number" : issue.message;
}

/** The valid key a typo probably meant, if any is close. */
function nearest(key: string, keys: readonly string[]): string | undefined {
  let best: { key: string; distance: number } | undefined;
  for (const candidate of keys) {
    const distance = editDistance(key.toLowerCase(), candidate.toLowerCase());
    if (best === undefined || distance < best.distance) best = { key: candidate, distance };
  }
  return best !== undefined && best.distance <= Math.max(2, Math.floor(key.length / 3)) ? best.key : undefined;
}

/** Levenshtein distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitute));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
