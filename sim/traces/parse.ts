import { err, ok, type Result } from "../../core/result.ts";
import type { PlantRequest } from "../plant/plant.types.ts";
import { columnName, separatorOf, splitCsv, type Separator } from "./csv.ts";
import {
  ARRIVAL_NAMES,
  HASH_NAME,
  INPUT_NAMES,
  OUTPUT_NAMES,
  parseDate,
  PER_SECOND,
  shownUnit,
  timestampUnit,
  type ArrivalUnit,
} from "./formats.ts";
import { assembleTrace, type Trace } from "./trace.types.ts";

export interface TraceProblem {
  readonly line: number;
  readonly code: "TRACE_HEADER" | "TRACE_JSON" | "TRACE_COLUMNS" | "TRACE_VALUE" | "TRACE_RANGE" | "TRACE_EMPTY" | "TRACE_SIZE";
  readonly message: string;
}

export interface TraceParser {
  /** Takes the next line; a problem makes the row bad, and a TRACE_HEADER one the whole file. */
  line(text: string): TraceProblem | undefined;
  end(name: string, skipped: number): Result<Trace, TraceProblem>;
}

/** Bounds of what is read: longer is not a request, more does not fit a laptop's memory. */
const MAX_TOKENS = 10_000_000;
const MAX_REQUESTS = 20_000_000;
const MAX_HASHES = 100_000;
/** A longer trace would be simulated for hours; nearly always its times are in a smaller unit. */
const MAX_SECONDS = 366 * 86_400;

interface Columns {
  readonly arrival: string;
  readonly unit: ArrivalUnit;
  readonly input: string;
  readonly output: string;
}

interface Header {
  readonly names: readonly string[];
  readonly separator: Separator;
}

type Row = ReadonlyMap<string, unknown>;

/** Reads a trace line by line; which format it is follows from the first line. */
export function createTraceParser(): TraceParser {
  const requests: PlantRequest[] = [];
  let number = 0;
  let header: Header | undefined;
  let columns: Columns | undefined;
  let failedAtSource = 0;

  const readHeader = (text: string): TraceProblem | undefined => {
    const problem = (message: string): TraceProblem => ({ line: number, code: "TRACE_HEADER", message });
    // What no UTF-8 text holds: NUL, and the mark that decoding puts in place of bytes that are none.
    if (/[\0\uFFFD]/.test(text)) return problem("not UTF-8 text; a compressed trace must be gzip and end in .gz");
    if (text.startsWith("[")) return problem("a JSON array; write one object per line (jq -c '.[]')");
    const separator = separatorOf(text);
    const names = splitCsv(text, separator).map(columnName);
    const found = findColumns(names);
    if (!found.ok) return problem(found.error);
    header = { names, separator };
    columns = found.value;
    return undefined;
  };

  return {
    line(raw) {
      number += 1;
      const text = (number === 1 ? raw.replace(/^\uFEFF/, "") : raw).trim();
      if (text === "") return undefined;
      if (header === undefined && columns === undefined && !text.startsWith("{")) return readHeader(text);
      const row = header === undefined ? jsonRow(text) : csvRow(text, header);
      if (!row.ok) return { line: number, ...row.error };
      if (columns === undefined) {
        const found = findColumns([...row.value.keys()]);
        if (!found.ok) return { line: number, code: "TRACE_HEADER", message: found.error };
        columns = found.value;
      }
      if (requests.length === 0) columns = { ...columns, unit: shownUnit(columns.unit, row.value.get(columns.arrival)) };
      if (isZero(row.value.get(columns.output))) {
        failedAtSource += 1;
        return undefined;
      }
      const request = toRequest(row.value, columns, requests.length);
      if (!request.ok) return { line: number, ...request.error };
      if (requests.length >= MAX_REQUESTS) {
        return { line: number, code: "TRACE_SIZE", message: `more than ${MAX_REQUESTS} requests; cut the file` };
      }
      requests.push(request.value);
      return undefined;
    },
    end(name, skipped) {
      const problem = (code: TraceProblem["code"], message: string) => err({ line: Math.max(1, number), code, message });
      if (requests.length === 0) return problem("TRACE_EMPTY", "no requests in the file");
      const trace = finish(name, requests, columns?.unit, skipped, failedAtSource);
      if (trace.seconds <= MAX_SECONDS) return ok(trace);
      const days = (trace.seconds / 86_400).toFixed(0);
      return problem("TRACE_RANGE", `the arrivals span ${days} days; if ${columns?.arrival} counts milliseconds, call it timestamp_ms`);
    },
  };
}

/** Shifts the first arrival to 0 and measures how coarse the timestamps are. */
function finish(
  name: string,
  requests: readonly PlantRequest[],
  unit: ArrivalUnit | undefined,
  skipped: number,
  failedAtSource: number,
): Trace {
  const first = requests.reduce((least, { arrival }) => Math.min(least, arrival), Infinity);
  const shifted = requests.map((request) => ({ ...request, arrival: request.arrival - first }));
  const trace = assembleTrace(name, shifted, { skipped, failedAtSource });
  const distinct = new Set(trace.requests.map(({ arrival }) => arrival)).size;
  // Mooncake's hour holds 1,180 distinct times for 12,031 requests: a grid of about 3 s that is not real.
  const coarse = unit === "millis" && distinct > 1 && distinct * 4 < trace.requests.length;
  return { ...trace, grid: coarse ? trace.seconds / (distinct - 1) : 0 };
}

function findColumns(names: readonly string[]): Result<Columns, string> {
  const pick = (known: readonly string[]): string | undefined => known.find((name) => names.includes(name));
  const arrival = pick([...Object.keys(ARRIVAL_NAMES), "timestamp"]);
  const input = pick(INPUT_NAMES);
  const output = pick(OUTPUT_NAMES);
  if (arrival === undefined || input === undefined || output === undefined) {
    const missing = [arrival ?? "an arrival time (t_s)", input ?? "input tokens (isl)", output ?? "output tokens (osl)"];
    const wanted = missing.filter((text) => text.includes("(")).join(", ");
    return err(
      `no column for ${wanted} among "${names.slice(0, 12).join(",")}"; first line of a CSV must name its columns, for example t_s,isl,osl`,
    );
  }
  return ok({ arrival, unit: ARRIVAL_NAMES[arrival] ?? timestampUnit(names), input, output });
}

type RowProblem = Pick<TraceProblem, "code" | "message">;

function csvRow(text: string, { names, separator }: Header): Result<Row, RowProblem> {
  const cells = splitCsv(text, separator);
  const beyond = cells.slice(names.length).some((cell) => cell !== "");
  if (cells.length < names.length || beyond) {
    return err({ code: "TRACE_COLUMNS", message: `${cells.length} columns where the header names ${names.length}` });
  }
  return ok(new Map(names.map((name, index) => [name, cells[index]])));
}

function jsonRow(text: string): Result<Row, RowProblem> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return err({ code: "TRACE_JSON", message: "not a JSON object" });
    return ok(new Map(Object.entries(value).map(([key, item]) => [columnName(key), item])));
  } catch {
    return err({ code: "TRACE_JSON", message: `not JSON: ${text.slice(0, 60)}` });
  }
}

function toRequest(row: Row, columns: Columns, id: number): Result<PlantRequest, RowProblem> {
  const arrival = readArrival(row.get(columns.arrival), columns.unit);
  if (arrival === undefined) return err(badValue(row, columns.arrival, columns.unit === "date" ? "a date and time" : "a number"));
  const inputTokens = readCount(row.get(columns.input));
  if (inputTokens === undefined) return err(badValue(row, columns.input, "a whole number of tokens"));
  const outputTokens = readCount(row.get(columns.output));
  if (outputTokens === undefined) return err(badValue(row, columns.output, "a whole number of tokens"));
  for (const [name, tokens] of [[columns.input, inputTokens] as const, [columns.output, outputTokens] as const]) {
    if (tokens < 1 || tokens > MAX_TOKENS) return err({ code: "TRACE_RANGE", message: `${name} is ${tokens}; want 1 to ${MAX_TOKENS}` });
  }
  const request = { id, arrival, inputTokens, outputTokens };
  const hashes = row.get(HASH_NAME);
  if (hashes === undefined) return ok(request);
  if (!isHashList(hashes)) return err(badValue(row, HASH_NAME, `a list of up to ${MAX_HASHES} whole numbers`));
  return ok({ ...request, hashIds: hashes });
}

function readArrival(value: unknown, unit: ArrivalUnit): number | undefined {
  if (unit === "date") return typeof value === "string" ? parseDate(value) : undefined;
  if (value === "" || (typeof value !== "string" && typeof value !== "number")) return undefined;
  const time = Number(value);
  if (!Number.isFinite(time)) return undefined;
  return time / PER_SECOND[unit];
}

/** No answer: BurstGPT marks failed requests so. */
const isZero = (value: unknown): boolean => value === 0 || (typeof value === "string" && value !== "" && Number(value) === 0);

function readCount(value: unknown): number | undefined {
  if (value === "" || (typeof value !== "string" && typeof value !== "number")) return undefined;
  const count = Number(value);
  return Number.isInteger(count) ? count : undefined;
}

function isHashList(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= MAX_HASHES && value.every((id) => Number.isSafeInteger(id));
}

function badValue(row: Row, column: string, wanted: string): RowProblem {
  return { code: "TRACE_VALUE", message: `${column} is ${JSON.stringify(row.get(column)) ?? "missing"}; want ${wanted}` };
}
