/**
 * Megabytes per CPU second of reading a vLLM page of about 1 MB, beside parse-prometheus-text-format in the same run (which, on this page, also
 * loses all label sets of a histogram but one). CPU time, not wall time: other work on the machine must not decide.
 * Run: npx tsx test/bench/exposition.ts [--check]   (--check exits 1 below 4 times the other parser)
 */
import parsePrometheusTextFormat from "parse-prometheus-text-format";
import { createEnginePage } from "../../core/engines/page.ts";
import { parsePage } from "../../core/exposition/parse.ts";
import { vllmPage } from "./vllm-page.ts";

const page = vllmPage(20);
const megabytes = Buffer.byteLength(page) / 1e6;
const steady = createEnginePage("vllm", "decode");

function median(values: number[]): number {
  const sorted = values.sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

/** Each round gets its own string, as a scraper does: nothing may be cached on the page itself. */
function megabytesPerCpuSecond(read: (text: string) => unknown, rounds: number): number {
  const speeds: number[] = [];
  for (let i = 0; i < rounds + 3; i++) {
    const text = Buffer.from(page).toString("latin1");
    const before = process.cpuUsage();
    read(text);
    const { user, system } = process.cpuUsage(before);
    if (i >= 3) speeds.push(megabytes / ((user + system) / 1e6));
  }
  return median(speeds);
}

const results = {
  pageMegabytes: megabytes,
  samples: steady.read(page).samples,
  steadyMBps: megabytesPerCpuSecond((text) => steady.read(text), 40),
  firstReadMBps: megabytesPerCpuSecond((text) => createEnginePage("vllm", "decode").read(text), 15),
  fullParseMBps: megabytesPerCpuSecond((text) => parsePage(text), 15),
  otherParserMBps: megabytesPerCpuSecond((text) => parsePrometheusTextFormat(text), 8),
};
const ratio = results.steadyMBps / results.otherParserMBps;
for (const [name, value] of Object.entries({ ...results, ratio })) console.log(`${name.padEnd(16)} ${value.toFixed(1)}`);
if (process.argv.includes("--check") && ratio < 4) process.exitCode = 1;
