import { LineCounter, parseAllDocuments, type Document } from "yaml";
import { err, ok, type Result } from "../../core/result.ts";
import { fromZod, type Found } from "./issues.ts";
import { nestedTooDeep } from "./nesting.ts";
import { locate } from "./position.ts";
import type { PolicyIssue, PolicyProblem } from "./problem.ts";
import { crossFieldIssues } from "./rules.ts";
import { policySchema, type Policy } from "./schema.ts";

/** A policy file is a page of text; more than this is some other file. */
export const MAX_POLICY_BYTES = 1024 * 1024;
const MAX_DOCUMENTS = 200;
const MAX_PROBLEMS = 100;

/** One or more YAML documents → policies with every default filled in, or every problem with its place. Pure on its text. */
export function parsePolicies(text: string, file: string): Result<Policy[], PolicyProblem[]> {
  const whole = (code: PolicyProblem["code"], message: string) => err([{ file, line: 1, column: 1, code, message }]);
  if (text.length > MAX_POLICY_BYTES)
    return whole("POLICY_TOO_LARGE", "the file is over 1 MiB; a policy file holds ScalingPolicy documents only");
  const deep = nestedTooDeep(text);
  if (deep !== undefined) return err([{ file, line: deep, column: 1, code: "POLICY_SYNTAX", message: "nested deeper than any policy" }]);
  const lines = new LineCounter();
  const documents = read(text, lines);
  if (!documents.ok) return whole("POLICY_SYNTAX", documents.error);
  if (documents.value.length > MAX_DOCUMENTS) return whole("POLICY_TOO_LARGE", `the file has over ${MAX_DOCUMENTS} documents; split it`);

  const policies: Policy[] = [];
  const problems: PolicyProblem[] = [];
  const seen = new Set<string>();
  for (const document of documents.value) {
    const place = (found: PolicyIssue, at: "value" | "key"): PolicyProblem => {
      const { line, column } = locate(document, lines, found.path, at);
      return { file, line, column, code: found.code, message: found.message };
    };
    problems.push(...syntaxProblems(document, lines, file));
    if (document.errors.length > 0) continue;
    const value = toValue(document);
    // A separator at the end, or comments alone, is no document.
    if (value === null || value === undefined) continue;
    const parsed = check(value);
    if (!parsed.ok) {
      problems.push(...parsed.error.map((found) => place(found, found.at)));
      continue;
    }
    const key = `${parsed.value.metadata.namespace}/${parsed.value.metadata.name}`;
    if (seen.has(key)) {
      problems.push(
        place(
          { path: ["metadata", "name"], code: "POLICY_DUPLICATE_NAME", message: `a policy ${key} stands earlier in this file` },
          "value",
        ),
      );
    }
    seen.add(key);
    policies.push(parsed.value);
  }
  if (problems.length > 0) return err(problems.sort(byPlace).slice(0, MAX_PROBLEMS));
  if (policies.length === 0)
    return whole("POLICY_EMPTY", "the file holds no ScalingPolicy document; see docs/policy.md for the shortest one");
  return ok(policies);
}

/** A policy that came as JSON (`fulcrum plan`, a custom resource): the same checks, paths instead of lines. */
export function policyFromJson(value: unknown): Result<Policy, PolicyIssue[]> {
  const parsed = check(value);
  return parsed.ok ? parsed : err(parsed.error.map(({ path, code, message }) => ({ path, code, message })));
}

function check(value: unknown): Result<Policy, Found[]> {
  const parsed = policySchema.safeParse(value);
  if (!parsed.success) return err(parsed.error.issues.flatMap((issue) => fromZod(issue, value)));
  const cross = crossFieldIssues(parsed.data);
  return cross.length > 0 ? err(cross.map((issue) => ({ ...issue, at: "value" }))) : ok(parsed.data);
}

function read(text: string, lines: LineCounter): Result<Document.Parsed[], string> {
  try {
    const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
    return ok([...parsed] as Document.Parsed[]);
  } catch (error) {
    // The parser reports mistakes as values; what it throws is a limit of its own.
    return err(`the text cannot be read as YAML: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Aliases are bounded by the parser (100), so a document cannot grow beyond memory; beyond that it is not a policy. */
function toValue(document: Document.Parsed): unknown {
  try {
    return document.toJS();
  } catch {
    return {};
  }
}

const byPlace = (a: PolicyProblem, b: PolicyProblem): number => a.line - b.line || a.column - b.column;

function syntaxProblems(document: Document.Parsed, lines: LineCounter, file: string): PolicyProblem[] {
  // One mistake makes the parser stumble many times; the first few name it.
  return document.errors.slice(0, 5).map((error) => {
    const { line, col } = lines.linePos(error.pos[0]);
    const duplicate = error.code === "DUPLICATE_KEY";
    return {
      file,
      line: Math.max(line, 1),
      column: Math.max(col, 1),
      code: duplicate ? "POLICY_DUPLICATE_KEY" : "POLICY_SYNTAX",
      message: duplicate ? "this key stands twice in the same map; keep one" : error.message.slice(0, 200),
    };
  });
}
