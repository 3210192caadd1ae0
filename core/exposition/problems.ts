/** What is wrong with a page, as values: a bad line is counted and skipped, and the page goes on. */
export type ProblemCode =
  | "name"
  | "labels"
  | "value"
  | "timestamp"
  | "exemplar"
  | "trailing"
  | "comment"
  | "duplicate"
  | "histogram"
  | "after-eof"
  | "no-eof"
  | "too-large"
  | "too-many-samples";

export interface Problem {
  /** 1-based; 0 when it concerns the page as a whole. */
  readonly line: number;
  readonly column: number;
  readonly code: ProblemCode;
  readonly message: string;
}

/** Problems kept per page; all are counted. A page broken on every line must not fill a log. */
export const KEPT_PROBLEMS = 20;

export interface ProblemLog {
  /** `at` is an offset into the text; the line is only computed for problems that are kept. */
  at(at: number, code: ProblemCode, message: string): void;
  page(code: ProblemCode, message: string): void;
  readonly kept: readonly Problem[];
  count(): number;
}

/** No getters here, nor in what else is made for each page or body: V8 makes a hidden class for each such object, which holds the text until the next full collection. */
export function createProblemLog(text: string): ProblemLog {
  const kept: Problem[] = [];
  let count = 0;
  return {
    at(at, code, message) {
      count++;
      if (kept.length < KEPT_PROBLEMS) kept.push({ ...position(text, at), code, message });
    },
    page(code, message) {
      count++;
      if (kept.length < KEPT_PROBLEMS) kept.push({ line: 0, column: 0, code, message });
    },
    kept,
    count: () => count,
  };
}

function position(text: string, at: number): { line: number; column: number } {
  let line = 1;
  let start = 0;
  for (let newline = text.indexOf("\n"); newline >= 0 && newline < at; newline = text.indexOf("\n", start)) {
    line++;
    start = newline + 1;
  }
  return { line, column: at - start + 1 };
}
