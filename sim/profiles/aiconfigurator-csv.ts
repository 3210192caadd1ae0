import { err, ok, type Result } from "../../core/result.ts";

/** One worker (our replica) of a row. */
export interface Worker {
  /** How it is split, as AIConfigurator names it (tp1pp1dp1…). */
  readonly layout: string;
  readonly system: string;
  readonly gpus: number;
  /** GPUs that share one sequence's KV. */
  readonly shards: number;
  /** Sequences per data-parallel rank, and over all of them. */
  readonly batch: number;
  readonly globalBatch: number;
  readonly sequencesPerSecond: number;
  /** GiB per GPU. */
  readonly memory: number;
}

/** One row of AIConfigurator's disaggregated results. Lengths in tokens, `tpot` in milliseconds. */
export interface Configuration {
  readonly model: string;
  readonly isl: number;
  readonly osl: number;
  readonly prefix: number;
  readonly tpot: number;
  readonly tokensPerSecondPerGpu: number;
  readonly prefill: Worker;
  readonly decode: Worker;
}

const MAX_ROWS = 100_000;
const NEEDED = ["isl", "osl", "tpot", "tokens/s/gpu"];
const PER_ROLE = ["tp", "pp", "bs", "global_bs", "parallel", "seq/s/worker", "memory", "system"];

const header = (text: string): string[] => cells(text.slice(0, text.search(/[\r\n]|$/)));

export const looksLikeAiconfigurator = (text: string): boolean => header(text).includes("tokens/s/gpu");

export function readConfigurations(text: string): Result<readonly Configuration[], string[]> {
  const names = header(text);
  if (!names.includes("(p)bs")) return err(["an aggregated table; Fulcrum needs the disaggregated one (disagg/pareto.csv)"]);
  const missing = [...NEEDED, ...["p", "d"].flatMap((role) => PER_ROLE.map((name) => `(${role})${name}`))].filter(
    (name) => !names.includes(name),
  );
  if (missing.length > 0) return err([`no column ${missing.join(", ")}`]);
  const lines = text.split(/\r?\n/).slice(1);
  if (lines.length > MAX_ROWS) return err([`${lines.length} rows; at most ${MAX_ROWS}`]);
  const problems: string[] = [];
  const rows = lines.flatMap((line, index) => {
    if (line.trim() === "") return [];
    const values = cells(line);
    const row = new Map(names.map((name, column) => [name, values[column] ?? ""]));
    const wrong = [...NUMBERS].filter((name) => !(Number(row.get(name)) > 0));
    if (values.length === names.length && wrong.length === 0) return [configuration(row)];
    const what =
      values.length === names.length
        ? `${wrong[0]}: "${row.get(wrong[0] ?? "")}" is no number above zero`
        : `${values.length} columns where the header names ${names.length}`;
    problems.push(`line ${index + 2}: ${what}`);
    return [];
  });
  return problems.length > 0 ? err(problems.slice(0, 20)) : ok(rows);
}

const NUMBERS = [
  ...NEEDED,
  ...["p", "d"].flatMap((role) =>
    PER_ROLE.slice(0, 4)
      .concat("seq/s/worker", "memory")
      .map((name) => `(${role})${name}`),
  ),
];

function configuration(row: ReadonlyMap<string, string>): Configuration {
  const number = (name: string): number => Number(row.get(name) ?? 0);
  return {
    model: row.get("model") ?? "unknown",
    isl: number("isl"),
    osl: number("osl"),
    prefix: number("prefix"),
    tpot: number("tpot"),
    tokensPerSecondPerGpu: number("tokens/s/gpu"),
    prefill: worker(row, "(p)"),
    decode: worker(row, "(d)"),
  };
}

function worker(row: ReadonlyMap<string, string>, role: string): Worker {
  const number = (name: string): number => Number(row.get(role + name) ?? 0);
  const shards = number("tp") * number("pp") * Math.max(1, number("cp"));
  return {
    layout: row.get(`${role}parallel`) ?? "",
    system: row.get(`${role}system`) ?? "unknown",
    gpus: shards * Math.max(1, number("dp")),
    shards,
    batch: number("bs"),
    globalBatch: number("global_bs"),
    sequencesPerSecond: number("seq/s/worker"),
    memory: number("memory"),
  };
}

/** Cells of a line; a quoted cell may hold commas, and doubles a quote. */
function cells(line: string): string[] {
  const found: string[] = [];
  let cell = "";
  let quoted = false;
  for (const part of line.split(",")) {
    cell = quoted ? `${cell},${part}` : part;
    quoted = (cell.match(/"/g)?.length ?? 0) % 2 === 1;
    if (!quoted)
      found.push(
        cell
          .trim()
          .replace(/^"(.*)"$/, "$1")
          .replaceAll('""', '"'),
      );
  }
  return found;
}
