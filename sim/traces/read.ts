import { createReadStream } from "node:fs";
import { basename } from "node:path";
import { createGunzip } from "node:zlib";
import { err, ok, type Result } from "../../core/result.ts";
import { createTraceParser, type TraceProblem } from "./parse.ts";
import type { Trace } from "./trace.types.ts";

/** The simulator's one door to files. Reads plain and gzipped traces as a stream, line by line. */
export interface ReadTraceOptions {
  /** Count bad rows and go on instead of failing. */
  readonly skipBad?: boolean;
}

/** Problems listed before the rest is only counted. */
const MAX_LISTED = 20;
/** A line longer than this is no request; it also bounds what a file without line ends can hold in memory. */
const MAX_LINE = 4 * 1024 * 1024;

/** File → trace, or its problems, one `file:line: CODE message` each. */
export async function readTrace(file: string, options: ReadTraceOptions = {}): Promise<Result<Trace, string[]>> {
  const parser = createTraceParser();
  const problems: string[] = [];
  let bad = 0;
  const say = (problem: TraceProblem): string => `${file}:${problem.line}: ${problem.code} ${problem.message}`;
  try {
    for await (const line of lines(file)) {
      const problem = parser.line(line);
      if (problem === undefined) continue;
      if (problem.code === "TRACE_HEADER" || problem.code === "TRACE_SIZE") return err([say(problem)]);
      bad += 1;
      if (problems.length < MAX_LISTED) problems.push(say(problem));
    }
  } catch (error) {
    return err([`${file}: TRACE_READ ${readError(error)}`]);
  }
  if (bad > 0 && options.skipBad !== true) {
    if (bad > problems.length) problems.push(`${file}: ${bad - problems.length} more bad ${bad - problems.length === 1 ? "row" : "rows"}`);
    return err([
      ...problems,
      `${file}: ${bad} bad ${bad === 1 ? "row; mend it or pass --skip-bad to leave it" : "rows; mend them or pass --skip-bad to leave them"} out`,
    ]);
  }
  const trace = parser.end(basename(file), bad);
  return trace.ok ? ok(trace.value) : err([say(trace.error)]);
}

async function* lines(file: string): AsyncGenerator<string> {
  const source = createReadStream(file);
  const stream = file.endsWith(".gz") ? source.pipe(createGunzip()) : source;
  // pipe() does not forward errors: without this a missing file would never end the loop.
  source.on("error", (error) => stream.destroy(error));
  stream.setEncoding("utf8");
  let rest = "";
  for await (const chunk of stream) {
    const parts = (rest + String(chunk)).split("\n");
    rest = parts.pop() ?? "";
    if (rest.length > MAX_LINE) throw new Error(`a line is longer than ${MAX_LINE} characters; is this a trace?`);
    yield* parts;
  }
  if (rest !== "") yield rest;
}

function readError(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT") return "no such file";
  if (code === "EISDIR") return "is a directory; name a file";
  if (code === "EACCES") return "permission denied";
  const message = error instanceof Error ? error.message : String(error);
  return code === "Z_DATA_ERROR" || code === "Z_BUF_ERROR" ? `damaged gzip: ${message}` : message;
}
