import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readTrace } from "../../../sim/traces/read.ts";
import { leftOut } from "../../../sim/traces/trace.types.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fulcrum-trace-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function file(name: string, content: string | Buffer): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

describe("trace formats", () => {
  it("reads Azure CSV: 100 ns dates, Windows line ends, arrivals from 0 and in order", async () => {
    const path = await file(
      "azure.csv",
      "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:15:50.9951690,396,109\r\n2023-11-16 18:15:46.6805900,374,44",
    );
    const trace = await readTrace(path);
    if (!trace.ok) throw new Error(trace.error.join());
    expect(trace.value.requests.map(({ id, inputTokens, outputTokens }) => [id, inputTokens, outputTokens])).toEqual([
      [0, 374, 44],
      [1, 396, 109],
    ]);
    expect(trace.value.seconds).toBeCloseTo(4.314579, 6);
    expect([trace.value.inputTokens, trace.value.outputTokens, trace.value.name]).toEqual([770, 153, "azure.csv"]);
  });

  it("reads Mooncake JSON lines with prefix blocks, gzipped", async () => {
    const rows = [
      { timestamp: 1500, input_length: 1000, output_length: 5, hash_ids: [0, 1] },
      { timestamp: 4500, input_length: 600, output_length: 7, hash_ids: [0, 2] },
    ];
    const trace = await readTrace(await file("mooncake.jsonl.gz", gzipSync(rows.map((row) => JSON.stringify(row)).join("\n"))));
    if (!trace.ok) throw new Error(trace.error.join());
    expect(trace.value.requests).toEqual([
      { id: 0, arrival: 0, inputTokens: 1000, outputTokens: 5, hashIds: [0, 1] },
      { id: 1, arrival: 3, inputTokens: 600, outputTokens: 7, hashIds: [0, 2] },
    ]);
  });

  it("reads BurstGPT CSV and leaves out the requests that failed at the source", async () => {
    const head = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type";
    const path = await file(
      "burst.csv",
      `${head}\n5,ChatGPT,472,18,490,Conversation log\n45,ChatGPT,0,0,0,API log\n118,GPT-4,417,276,693,API log\n`,
    );
    const trace = await readTrace(path);
    if (!trace.ok) throw new Error(trace.error.join());
    expect(trace.value.requests.map(({ arrival, inputTokens }) => [arrival, inputTokens])).toEqual([
      [0, 472],
      [113, 417],
    ]);
    expect([trace.value.failedAtSource, trace.value.skipped]).toEqual([1, 0]);
  });

  it.each([
    ["servegen", "t_s,isl,osl\n0.5,617,3\n1,10,2\n"],
    ["quoted, other order, more columns", '"output_tokens","user","input_tokens","arrival"\n3,a,617,0.5\n2,b,10,1\n'],
    ["vidur", "arrived_at,num_prefill_tokens,num_decode_tokens\n0.5,617,3\n1,10,2\n"],
    ["byte order mark and blank lines", "\uFEFFt_s,isl,osl\n\n0.5,617,3\n\n1,10,2\n\n"],
    ["semicolons", "t_s;isl;osl\n0.5;617;3\n1;10;2\n"],
    ["tabs and spelled-out names", "Arrival Time\tInput Tokens\tOutput-Tokens\n0.5\t617\t3\n1\t10\t2\n"],
    ["commas within quotes, and a trailing one", 'prompt,t_s,isl,osl\n"a, 7 ""b""",0.5,617,3,\nc,1,10,2\n'],
    ["scientific notation", "t_s,isl,osl\n5e-1,6.17e2,3.0\n1e0,1e1,2\n"],
    ["dates", "timestamp,isl,osl\n2024-05-10T00:00:00.5Z,617,3\n2024-05-10T02:00:01+02:00,10,2\n"],
    ["milliseconds since 1970", "timestamp,isl,osl\n1715299200500,617,3\n1715299201000,10,2\n"],
    ["microseconds since 1970", "timestamp,isl,osl\n1715299200500000,617,3\n1715299201000000,10,2\n"],
    [
      "nanoseconds since 1970",
      '{"arrival_time":1715299200500000000,"isl":617,"osl":3}\n{"arrival_time":1715299201000000000,"isl":10,"osl":2}\n',
    ],
    ["json lines", '{"t_s":0.5,"isl":617,"osl":3}\n{"t_s":1,"isl":10,"osl":2}\n'],
  ])("reads plain rows: %s", async (name, content) => {
    const trace = await readTrace(await file(`${name.replaceAll(/\W/g, "-")}.txt`, content));
    if (!trace.ok) throw new Error(trace.error.join());
    expect(trace.value.requests).toEqual([
      { id: 0, arrival: 0, inputTokens: 617, outputTokens: 3 },
      { id: 1, arrival: 0.5, inputTokens: 10, outputTokens: 2 },
    ]);
  });
});

describe("bad traces", () => {
  const BAD = "t_s,isl,osl\n0,5,5\nx,5,5\n1,5\n2,0,5\n3,5.5,5\n4,7,5\n";

  it("name file, line, code and what is wrong, and end the read", async () => {
    const path = await file("bad.csv", BAD);
    expect(await readTrace(path)).toEqual({
      ok: false,
      error: [
        `${path}:3: TRACE_VALUE t_s is "x"; want a number`,
        `${path}:4: TRACE_COLUMNS 2 columns where the header names 3`,
        `${path}:5: TRACE_RANGE isl is 0; want 1 to 10000000`,
        `${path}:6: TRACE_VALUE isl is "5.5"; want a whole number of tokens`,
        `${path}: 4 bad rows; mend them or pass --skip-bad to leave them out`,
      ],
    });
  });

  it("go on with skipBad and are counted", async () => {
    const trace = await readTrace(await file("skip.csv", BAD), { skipBad: true });
    expect(trace.ok && [trace.value.requests.length, trace.value.skipped]).toEqual([2, 4]);
  });

  it("rows without an answer are left out and told, in any format", async () => {
    const trace = await readTrace(await file("unanswered.csv", "t_s,isl,osl\n0,5,0\n1,5,5\n2,5,0\n"));
    if (!trace.ok) throw new Error(trace.error.join());
    expect([trace.value.requests.length, trace.value.failedAtSource]).toEqual([1, 2]);
    expect(leftOut(trace.value)).toEqual(["2 rows with 0 output tokens were left out: failed at the source"]);
  });

  it("list twenty problems and count the rest", async () => {
    const path = await file("many.csv", `t_s,isl,osl\n${"x,1,1\n".repeat(500)}`);
    const trace = await readTrace(path);
    expect(trace.ok ? [] : trace.error.slice(20)).toEqual([
      `${path}: 480 more bad rows`,
      `${path}: 500 bad rows; mend them or pass --skip-bad to leave them out`,
    ]);
  });

  it.each([
    ["header.csv", "a,b,c\n1,2,3\n", ":1: TRACE_HEADER no column for an arrival time (t_s), input tokens (isl), output tokens (osl)"],
    ["no-output.csv", "t_s,isl\n1,2\n", ":1: TRACE_HEADER no column for output tokens (osl)"],
    ["json.jsonl", '{"t_s":1,"isl":3,"osl":4}\n{"t_s":1,\n', ":2: TRACE_JSON not JSON"],
    ["hash.jsonl", '{"timestamp":1,"input_length":3,"output_length":4,"hash_ids":["a"]}\n', ":1: TRACE_VALUE hash_ids"],
    [
      "date.csv",
      "TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,1\n",
      ':2: TRACE_VALUE timestamp is "yesterday"; want a date and time',
    ],
    ["array.json", '[{"t_s":1,"isl":3,"osl":4}]', ":1: TRACE_HEADER a JSON array; write one object per line"],
    ["unnamed-gzip.csv", gzipSync("t_s,isl,osl\n1,2,3\n"), ":1: TRACE_HEADER not UTF-8 text"],
    ["utf16.csv", Buffer.from("t_s,isl,osl\n1,2,3\n", "utf16le"), ":1: TRACE_HEADER not UTF-8 text"],
    ["wide.csv", "t_s,isl,osl\n1,1,234,5\n", ":2: TRACE_COLUMNS 4 columns where the header names 3"],
    [
      "relative-ms.csv",
      "timestamp,isl,osl\n0,2,3\n86400000,2,3\n",
      ":3: TRACE_RANGE the arrivals span 1000 days; if timestamp counts milliseconds",
    ],
    ["empty.csv", "", ":1: TRACE_EMPTY no requests in the file"],
    ["only-header.csv", "t_s,isl,osl\n", ":1: TRACE_EMPTY no requests in the file"],
    ["damaged.csv.gz", "not gzip", ": TRACE_READ damaged gzip"],
    ["cut.csv.gz", gzipSync("t_s,isl,osl\n1,2,3\n").subarray(0, 25), ": TRACE_READ damaged gzip"],
  ])("%s", async (name, content, expected) => {
    const path = await file(name, content);
    const trace = await readTrace(path);
    expect(trace.ok ? "" : (trace.error[0] ?? "")).toContain(`${path}${expected}`);
  });

  it("a missing file and a folder are named", async () => {
    expect(await readTrace(join(folder, "nowhere.csv"))).toEqual({
      ok: false,
      error: [`${join(folder, "nowhere.csv")}: TRACE_READ no such file`],
    });
    expect(await readTrace(folder)).toEqual({ ok: false, error: [`${folder}: TRACE_READ is a directory; name a file`] });
  });
});
